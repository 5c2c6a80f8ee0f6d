use std::io::Read as _;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{Operator, address};
use crate::app::{Error, Signup, UserPage};
use crate::cli::{Exit, print};
use crate::domain::{Email, NewPassword, Role, Roles, User, UserFilter, UserStatus};
use crate::random;

impl Operator {
    pub(super) async fn create(
        &self,
        email: &str,
        roles: Vec<Role>,
        password_stdin: bool,
    ) -> Result<(), Exit> {
        let email = address(email)?;
        let roles = set(roles.into_iter().chain([Role::user()]))?;
        let (text, password) = self.password(&email, password_stdin)?;
        let signup = Signup { email, password };
        let user = match self.app.user_create_by_operator(&self.admin, signup, roles).await {
            Err(Error::EmailTaken) => {
                return Err(Exit::failure("the e-mail address is taken; nothing was changed"));
            }
            made => made?,
        };
        print(&line(&user));
        show_password(&text, password_stdin);
        Ok(())
    }

    pub(super) async fn list(&self, filter: UserFilter, page: UserPage) -> Result<(), Exit> {
        for user in self.app.users_list(&self.admin, filter, page).await? {
            print(&line(&user));
        }
        Ok(())
    }

    pub(super) async fn show(&self, user: &str) -> Result<(), Exit> {
        let user = self.find(user).await?;
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

    pub(super) async fn set_roles(&self, user: &str, roles: Vec<Role>) -> Result<(), Exit> {
        let (user, roles) = (self.find(user).await?, set(roles)?);
        print(&line(&self.app.user_set_roles(&self.admin, user.id, roles).await.map_err(refused)?));
        Ok(())
    }

    pub(super) async fn set_status(&self, user: &str, status: UserStatus) -> Result<(), Exit> {
        let user = self.find(user).await?;
        print(&line(&self.app.user_set_status(&self.admin, user.id, status).await.map_err(refused)?));
        Ok(())
    }

    pub(super) async fn unlock(&self, user: &str) -> Result<(), Exit> {
        let user = self.find(user).await?;
        self.app.user_unlock(&self.admin, user.id).await.map_err(refused)?;
        print(&line(&user));
        Ok(())
    }

    pub(super) async fn delete(&self, user: &str, yes: bool) -> Result<(), Exit> {
        let user = self.find(user).await?;
        if !yes {
            return Err(Exit::failure(format!(
                "{} would be deleted for good; nothing was changed\n  fix: say --yes, or use `keyward users disable`",
                user.email
            )));
        }
        self.app.user_delete(&self.admin, user.id).await.map_err(refused)?;
        print(&format!("{}  deleted   {}\n", user.id, user.email));
        Ok(())
    }

    pub(super) async fn reset_password(&self, user: &str, password_stdin: bool) -> Result<(), Exit> {
        let user = self.find(user).await?;
        let (text, password) = self.password(&user.email, password_stdin)?;
        self.app.user_reset_password(&self.admin, user.id, password).await.map_err(refused)?;
        print(&line(&user));
        show_password(&text, password_stdin);
        Ok(())
    }

    pub(super) async fn sessions(&self, user: &str) -> Result<(), Exit> {
        let user = self.find(user).await?;
        for session in self.app.user_sessions(&self.admin, user.id).await.map_err(refused)? {
            print(&format!(
                "{}  used {}  until {}  {}  {}\n",
                session.id,
                session.last_used_at,
                session.expires_at,
                session.ip.map_or("-".to_owned(), |ip| ip.to_string()),
                session.user_agent.as_deref().unwrap_or("-")
            ));
        }
        Ok(())
    }

    pub(super) async fn end_sessions(&self, user: &str) -> Result<(), Exit> {
        let user = self.find(user).await?;
        self.app.user_end_sessions(&self.admin, user.id).await.map_err(refused)?;
        print(&line(&user));
        Ok(())
    }

    async fn find(&self, user: &str) -> Result<User, Exit> {
        let found = match user.parse() {
            Ok(id) => self.app.user_by_id(&self.admin, id).await,
            Err(_) => self.app.user_by_email(&self.admin, address(user)?).await,
        };
        found.map_err(refused)
    }

    /// Reads a password, or makes one up.
    fn password(&self, owner: &Email, stdin: bool) -> Result<(Zeroizing<String>, NewPassword), Exit> {
        let text = if stdin {
            read_password()?
        } else {
            // 24 characters, or as many as are asked for.
            let more = self.app.rules().password_policy.min_length.div_ceil(4) * 3;
            let random = (0..more.max(18)).flat_map(|_| random::bytes::<1>()).collect::<Vec<u8>>();
            Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(random))
        };
        let accepted = self.app.rules().password_policy.accept(&text, Some(owner));
        let password = accepted.map_err(|error| Exit::failure(format!("the password {error}")))?;
        Ok((text, password))
    }
}

fn refused(error: Error) -> Exit {
    match error {
        Error::NotFound => Exit::failure("no such user"),
        Error::LastAdmin => Exit::failure(
            "this is the last active admin; nothing was changed\n  fix: give somebody else the role first",
        ),
        error => error.into(),
    }
}

fn set(roles: impl IntoIterator<Item = Role>) -> Result<Roles, Exit> {
    Roles::new(roles).map_err(|error| Exit::failure(error.to_string()))
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

fn show_password(text: &str, known: bool) {
    if !known {
        print(&format!("password: {text} (shown this once)\n"));
    }
}

fn line(user: &User) -> String {
    format!("{}  {:8}  {}  {}\n", user.id, user.status.as_str(), user.email, user.roles.names().join(","))
}
