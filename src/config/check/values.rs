//! Single values that more than one section holds, or that need a word of explanation.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;

use crate::config::{problem::Mistake, units};

/// Reads a network. IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) is IPv4, as the addresses it is held against.
pub(super) fn network(text: &str) -> Result<IpNet, Mistake> {
    let bare = text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or(bare).map_err(|_| {
        Mistake::new(
            format!("{text:?} is not a network"),
            "write addresses or networks: 10.0.0.0/8, 192.168.1.7, fd00::/8",
        )
    })?;
    let mapped = network.prefix_len().checked_sub(96);
    match (network.addr().to_canonical(), mapped) {
        (IpAddr::V4(address), Some(prefix)) if network.addr().is_ipv6() => {
            Ok(IpNet::new(address.into(), prefix).unwrap_or(network))
        }
        _ => Ok(network),
    }
}

/// Reads what keys in Redis begin with. Braces would choose the slot of a cluster.
pub(super) fn key_prefix(text: &str) -> Result<String, Mistake> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._-/".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Mistake::new(
        format!("{text:?} is not such a prefix"),
        "write 1 to 64 letters, digits, or : . _ - /, as in keyward:",
    ))
}

pub(super) fn level(text: &str) -> Result<tracing::Level, Mistake> {
    use tracing::Level;
    const ALL: &[Level] = &[Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    word(text, ALL, |level| match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    })
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Mistake> {
    text.parse().map_err(|_| {
        Mistake::new(
            format!("{text:?} is not an address with a port"),
            "write an IP address and a port: 127.0.0.1:7300, 0.0.0.0:7300 or [::]:7300",
        )
    })
}

#[expect(clippy::unnecessary_wraps, reason = "stands where a parser is wanted")]
pub(super) fn path(text: &str) -> Result<PathBuf, Mistake> {
    Ok(PathBuf::from(text))
}

pub(super) fn boolean(text: &str) -> Result<bool, Mistake> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Mistake::new(format!("{text:?} is neither true nor false"), "write true or false")),
    }
}

/// Finds the word among those of a closed set; upper and lower case count.
pub(super) fn word<T: Copy>(text: &str, all: &[T], spell: impl Fn(T) -> &'static str) -> Result<T, Mistake> {
    all.iter().copied().find(|one| spell(*one) == text).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|one| spell(*one)).collect();
        let known = words.join(", ");
        Mistake::new(format!("{text:?} is not known here"), format!("write one of {known}"))
    })
}

pub(super) fn number<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, Mistake>
where
    T: FromStr + PartialOrd + Display,
{
    move |text| {
        let fix = || format!("write a whole number from {} to {}", range.start(), range.end());
        let number: T =
            text.parse().map_err(|_| Mistake::new(format!("{text:?} is not such a number"), fix()))?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(Mistake::new(format!("{number} is out of range"), fix()))
        }
    }
}

pub(super) fn positive(text: &str) -> Result<Duration, Mistake> {
    let duration = units::duration(text)?;
    if duration.is_zero() {
        return Err(Mistake::new(format!("{text:?} is no time at all"), "write at least 1ms"));
    }
    Ok(duration)
}

/// Reads a time that goes into a token or a header, which have whole seconds only.
pub(super) fn whole_seconds(text: &str) -> Result<Duration, Mistake> {
    let duration = units::duration(text)?;
    if duration.is_zero() {
        return Err(Mistake::new(format!("{text:?} is no time at all"), "write at least 1s"));
    }
    if duration.subsec_nanos() != 0 {
        let fix = format!("write {}s", duration.as_secs() + 1);
        return Err(Mistake::new(format!("{text:?} is not a whole number of seconds"), fix));
    }
    Ok(duration)
}
