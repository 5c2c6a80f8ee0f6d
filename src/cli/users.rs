mod actions;

use clap::{Args, Subcommand};

use super::{Exit, SettingFlags, beside};
use crate::app::{Admin, App, UserPage};
use crate::domain::{Email, Role, UserFilter, UserId, UserStatus};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a user; without --password-stdin a password is made up and shown once
    Create {
        #[arg(long)]
        email: String,
        /// A role besides `user`; may be given again
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List users, oldest first
    List {
        /// Only the user with this address
        #[arg(long)]
        email: Option<String>,
        /// Only users who hold this role
        #[arg(long)]
        role: Option<Role>,
        /// Only `active` or `disabled` users
        #[arg(long)]
        status: Option<UserStatus>,
        /// Only users after this id
        #[arg(long, value_name = "ID")]
        after: Option<UserId>,
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
        limit: u16,
    },
    /// Show one user
    Show {
        /// E-mail address or id, here and below
        user: String,
    },
    /// Replace a user's roles with those named; none takes all away
    SetRoles { user: String, roles: Vec<Role> },
    /// Disable a user and end every session
    Disable { user: String },
    /// Let a disabled user in again
    Enable { user: String },
    /// Forget every wrong password that was tried, so that logging in is possible again
    Unlock { user: String },
    /// Delete a user for good
    Delete {
        user: String,
        /// That you mean it
        #[arg(long)]
        yes: bool,
    },
    /// Give a user another password and end every session; without --password-stdin it is made up and shown once
    ResetPassword {
        user: String,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List a user's live sessions, most recently used first
    Sessions { user: String },
    /// End every session of a user
    EndSessions { user: String },
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (app, admin) = beside::start(flags).await?;
    let operator = Operator { app, admin };
    let done = operator.act(arguments.action).await;
    operator.app.close().await;
    done
}

/// A person at the command line, with what the commands work on.
struct Operator {
    app: App,
    admin: Admin,
}

impl Operator {
    async fn act(&self, action: Action) -> Result<(), Exit> {
        match action {
            Action::Create { email, roles, password_stdin } => {
                self.create(&email, roles, password_stdin).await
            }
            Action::List { email, role, status, after, limit } => {
                let email = email.as_deref().map(address).transpose()?;
                self.list(UserFilter { email, role, status }, UserPage { after, limit }).await
            }
            Action::Show { user } => self.show(&user).await,
            Action::SetRoles { user, roles } => self.set_roles(&user, roles).await,
            Action::Disable { user } => self.set_status(&user, UserStatus::Disabled).await,
            Action::Enable { user } => self.set_status(&user, UserStatus::Active).await,
            Action::Unlock { user } => self.unlock(&user).await,
            Action::Delete { user, yes } => self.delete(&user, yes).await,
            Action::ResetPassword { user, password_stdin } => {
                self.reset_password(&user, password_stdin).await
            }
            Action::Sessions { user } => self.sessions(&user).await,
            Action::EndSessions { user } => self.end_sessions(&user).await,
        }
    }
}

fn address(text: &str) -> Result<Email, Exit> {
    Email::parse(text).map_err(|error| Exit::failure(format!("{text:?} {error}")))
}
