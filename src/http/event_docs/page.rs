use super::super::html::{Prose, Text};
use crate::app::{EventType, Member, event_catalogue};

/// What stands around `data`, for the table at the top.
const ENVELOPE: [(&str, &str); 9] = [
    ("id", "Names the event; the same on every attempt and at every sink. Remember it to do nothing twice."),
    ("source", "The issuer."),
    ("type", "What happened: one of those below."),
    ("subject", "The user whom it is about; missing when it is about none."),
    ("time", "When it happened (RFC 3339)."),
    ("sequence", "Counts the events of a user from 1, without gaps; a number written as text."),
    ("dataschema", "Where the schema of data is. Its last part is the version."),
    ("datacontenttype", "application/json"),
    ("data", "What happened, in detail."),
];

/// Renders the page; its links are relative, so it works behind any prefix.
pub(super) fn render(issuer: &str) -> String {
    let kinds = event_catalogue();
    let contents = each(kinds, |kind| {
        format!("<li><a href=\"#{0}\"><code>{0}</code></a> {1}</li>\n", kind.kind, Prose(kind.summary))
    });
    let envelope = each(&ENVELOPE, |(name, meaning)| {
        format!("<tr><th scope=\"row\"><code>{name}</code></th><td>{}</td></tr>\n", Prose(meaning))
    });
    let sections = each(kinds, |kind| section(kind, issuer));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Keyward events</title>\n<link rel=\"stylesheet\" href=\"events/style.css\">\n</head>\n<body>\n\
         <header>\n<h1>Events</h1>\n\
         <p>What other services can hear of, as <a href=\"#envelope\">CloudEvents 1.0</a> in structured JSON. Each event is \
         written in the transaction that causes it, then delivered at least once to every sink, in order per user.</p>\n\
         <p class=\"links\"><a href=\"../asyncapi.json\">asyncapi.json</a> <a href=\"../docs/\">HTTP API</a></p>\n\
         </header>\n<nav aria-label=\"Types\">\n<ul>\n{contents}</ul>\n</nav>\n<main>\n\
         <section id=\"envelope\">\n<h2>The envelope</h2>\n<table>\n{envelope}</table>\n\
         <p>A new optional member of <code>data</code> leaves its version as it is; anything else is a new version. So \
         ignore members that you do not know.</p>\n</section>\n{sections}</main>\n</body>\n</html>\n"
    )
}

fn section(kind: &EventType, issuer: &str) -> String {
    let members = each(kind.members(), |member: &Member| {
        format!(
            "<tr><th scope=\"row\"><code>{}</code></th><td class=\"shape\">{}</td><td>{}</td></tr>\n",
            member.name,
            Text(&member.shape()),
            Prose(member.description())
        )
    });
    let schema = kind.schema_path();
    format!(
        "<section id=\"{name}\">\n<h2><a href=\"#{name}\"><code>{name}</code></a> <small>version {version}</small></h2>\n\
         <p class=\"summary\">{summary}</p>\n<p>{when}</p>\n\
         <table>\n<thead><tr><th>data</th><th>holds</th><th>meaning</th></tr></thead>\n<tbody>\n{members}</tbody>\n\
         </table>\n<p class=\"links\"><a href=\"{schema}\">JSON Schema</a></p>\n\
         <pre>{example}</pre>\n</section>\n",
        name = kind.kind,
        version = kind.version,
        summary = Prose(kind.summary),
        when = Prose(kind.when),
        schema = schema.trim_start_matches("/docs/"),
        example = Text(&format!("{:#}", kind.example(issuer))),
    )
}

fn each<T>(items: &[T], render: impl Fn(&T) -> String) -> String {
    items.iter().map(render).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_html() {
        assert!(!render("https://h/<script>").contains("<script"));
    }
}
