use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::log::{self, Stream};
use super::{Exit, SettingFlags, print};
use crate::app::{App, Error, Signup, UserPage};
use crate::clock::Clock;
use crate::domain::{Caller, Email, Role, Roles, User, UserId};
use crate::random;

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
        /// Only users after this id
        #[arg(long, value_name = "ID")]
        after: Option<UserId>,
        #[arg(long, default_value_t = 50)]
        limit: u16,
    },
    /// Show one user
    Show {
        /// E-mail address or id
        user: String,
    },
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (settings, _) = flags.load()?;
    log::start(&settings, Stream::Stderr);
    let app = App::start(&settings, Clock::System).await?;
    let done = match arguments.action {
        Action::Create { email, roles, password_stdin } => create(&app, &email, roles, password_stdin).await,
        Action::List { after, limit } => list(&app, UserPage { after, limit }).await,
        Action::Show { user } => show(&app, &user).await,
    };
    app.close().await;
    done
}

async fn create(app: &App, email: &str, roles: Vec<Role>, password_stdin: bool) -> Result<(), Exit> {
    let email = Email::parse(email).map_err(|error| Exit::failure(format!("{email:?} {error}")))?;
    let roles = Roles::new(roles.into_iter().chain([Role::user()]));
    let roles = roles.map_err(|error| Exit::failure(error.to_string()))?;
    let text = if password_stdin {
        read_password()?
    } else {
        Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(random::bytes::<18>()))
    };
    let policy = app.rules().password_policy;
    let password =
        policy.accept(&text, Some(&email)).map_err(|error| Exit::failure(format!("the password {error}")))?;
    let made = app.user_create_by_operator(Signup { email, password }, roles, &Caller::command_line()).await;
    let user = match made {
        Err(Error::EmailTaken) => {
            return Err(Exit::failure("the e-mail address is taken; nothing was changed"));
        }
        made => made?,
    };
    print(&line(&user));
    if !password_stdin {
        print(&format!("password: {} (shown this once)\n", text.as_str()));
    }
    Ok(())
}

fn read_password() -> Result<Zeroizing<String>, Exit> {
    const MAX: u64 = 64 * 1024;
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .take(MAX)
        .read_to_string(&mut text)
        .map_err(|error| Exit::failure(format!("cannot read the password: {error}")))?;
    let first = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(first.to_owned()))
}

async fn list(app: &App, page: UserPage) -> Result<(), Exit> {
    for user in app.users_list(page).await? {
        print(&line(&user));
    }
    Ok(())
}

async fn show(app: &App, user: &str) -> Result<(), Exit> {
    let found = if let Ok(id) = user.parse() {
        app.user_by_id(id).await?
    } else {
        let email = Email::parse(user).map_err(|error| Exit::failure(format!("{user:?} {error}")))?;
        app.user_by_email(email).await?
    };
    let user = found.ok_or_else(|| Exit::failure("no such user"))?;
    print(&format!(
        "id        {}\nemail     {}\nverified  {}\nroles     {}\nstatus    {}\ncreated   {}\nupdated   {}\n",
        user.id,
        user.email,
        user.email_verified,
        user.roles.names().join(" "),
        user.status,
        user.created_at,
        user.updated_at
    ));
    Ok(())
}

fn line(user: &User) -> String {
    format!("{}  {:8}  {}  {}\n", user.id, user.status.as_str(), user.email, user.roles.names().join(","))
}
