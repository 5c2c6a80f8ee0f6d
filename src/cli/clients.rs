use clap::{Args, Subcommand};

use super::{Exit, SettingFlags, beside, print};
use crate::app::{Admin, App, Error};
use crate::domain::ClientId;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a client and print its secret, once
    Create { name: ClientId },
    /// List clients, revoked ones too
    List,
    /// Take a client's access away, at once
    Revoke { name: ClientId },
}

pub(super) async fn run(flags: &SettingFlags, arguments: Arguments) -> Result<(), Exit> {
    let (app, admin) = beside::start(flags).await?;
    let done = match arguments.action {
        Action::Create { name } => match app.client_create(&admin, name.clone()).await {
            Ok(secret) => {
                print(&format!(
                    "client_id      {name}\nclient_secret  {} (shown this once)\n",
                    secret.as_str()
                ));
                Ok(())
            }
            Err(Error::ClientExists) => {
                Err(Exit::failure(format!("a client named {name} exists, or did; choose another name")))
            }
            Err(error) => Err(error.into()),
        },
        Action::List => list(&app, &admin).await,
        Action::Revoke { name } => match app.client_revoke(&admin, name.clone()).await {
            Ok(()) => Ok(()),
            Err(Error::NotFound) => Err(Exit::failure(format!("no client named {name} has access"))),
            Err(error) => Err(error.into()),
        },
    };
    app.close().await;
    done
}

async fn list(app: &App, admin: &Admin) -> Result<(), Exit> {
    for client in app.clients_list(admin).await? {
        let state = client.revoked_at.map_or("active".to_owned(), |at| format!("revoked {at}"));
        print(&format!("{:24}  {}  {state}\n", client.id.to_string(), client.created_at));
    }
    Ok(())
}
