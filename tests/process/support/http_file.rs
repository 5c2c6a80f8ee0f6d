//! A `.http` file, read as VS Code's REST Client reads it.

use std::collections::BTreeMap;

use reqwest::{Client, Method};
use serde_json::Value;

/// The requests of a file, and what they refer to.
pub struct HttpFile<'a> {
    requests: Vec<&'a str>,
    variables: BTreeMap<&'a str, &'a str>,
    /// Bodies of answers, by the names of their requests.
    answers: BTreeMap<&'a str, Value>,
}

impl<'a> HttpFile<'a> {
    /// `given` takes the place of the variables that the file leaves to its reader.
    pub fn of(text: &'a str, given: &[(&'a str, &'a str)]) -> Self {
        let mut parts = text.split("\n### ");
        let variables = parts.next().into_iter().flat_map(str::lines);
        let variables = variables.filter_map(|line| line.strip_prefix('@')?.split_once(" = "));
        let variables = variables.chain(given.iter().copied()).collect();
        Self { requests: parts.collect(), variables, answers: BTreeMap::new() }
    }

    /// Sends all in their order and returns how many; each must answer what the file says.
    pub async fn walk(mut self, http: &Client) -> usize {
        for text in self.requests.clone() {
            let (name, expected, answer) = self.send(http, text).await;
            let (status, body) = answer;
            let code = body["code"].as_str().map_or(String::new(), |code| format!(" {code}"));
            assert_eq!(format!("{status}{code}"), expected, "{name}: {body}");
            self.answers.insert(name, body);
        }
        self.requests.len()
    }

    async fn send(&self, http: &Client, text: &'a str) -> (&'a str, &'a str, (u16, Value)) {
        let about = |mark: &str| text.lines().find_map(|line| line.strip_prefix(mark)).expect(mark);
        let (name, expected) = (about("# @name "), about("# Answers ").trim_end_matches('.'));
        let (_, request) = text.split_once(&format!("{name}\n")).expect("a request");
        let request = self.filled(request);
        let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
        let mut lines = head.lines();
        let (method, url) = lines.next().and_then(|line| line.split_once(' ')).expect("a request line");
        let mut sent = http.request(Method::from_bytes(method.as_bytes()).expect("a method"), url);
        for (header, value) in lines.filter_map(|line| line.split_once(": ")) {
            // The client encodes what stands in the clear.
            sent = match value.strip_prefix("Basic ").and_then(|login| login.split_once(':')) {
                Some((user, password)) => sent.basic_auth(user, Some(password)),
                None => sent.header(header, value),
            };
        }
        let answer = sent.body(body.trim_end().to_owned()).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.expect("a body");
        (name, expected, (status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// The text with a value for each `{{reference}}`.
    fn filled(&self, text: &str) -> String {
        let mut parts = text.split("{{");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (reference, rest) = part.split_once("}}").expect("a reference that ends");
            filled.extend([self.value(reference).as_str(), rest]);
        }
        filled
    }

    fn value(&self, reference: &str) -> String {
        let Some((name, path)) = reference.split_once(".response.body.") else {
            return (*self.variables.get(reference).expect(reference)).to_owned();
        };
        let body = self.answers.get(name).expect(reference);
        let found = match path.strip_prefix("$.").and_then(|path| path.split_once("[?(@.")) {
            // `$.items[?(@.state=='pending')].kid`
            Some((list, choice)) => {
                let (member, rest) = choice.split_once("==").expect(reference);
                let (wanted, taken) = rest.split_once(")].").expect(reference);
                let wanted: Value = serde_json::from_str(&wanted.replace('\'', "\"")).expect(reference);
                let items = body[list].as_array().expect(reference);
                &items.iter().find(|item| item[member] == wanted).expect(reference)[taken]
            }
            None => &body[path],
        };
        found.as_str().expect(reference).to_owned()
    }
}
