//! The `keyward` binary: everything is in the library.

/// Gives memory back after a storm and costs less than the C library's; musl's would cost a lot more.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    keyward::cli::main()
}
