use serde_json::Value;

use super::Setup;

/// What `keyward doctor --json` has to say.
pub struct Report {
    pub exit_code: i32,
    pub findings: Vec<Value>,
}

impl Setup {
    /// Lets a doctor look at it.
    pub async fn doctor(&self) -> Report {
        self.doctor_with(&[]).await
    }

    pub async fn doctor_with(&self, arguments: &[&str]) -> Report {
        let done = self.run(&[&["doctor", "--json"], arguments].concat()).await;
        let report: Value = serde_json::from_str(&done.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", done.stdout, done.stderr));
        assert_eq!(report["exit_code"], done.code);
        let said = done.stdout + &done.stderr;
        assert!(!said.contains("hunter2"), "a secret: {said}");
        let findings = report["findings"].as_array().expect("an array").clone();
        for finding in &findings {
            assert_eq!(
                finding["level"] == "ok",
                finding["advice"].is_null(),
                "what to do, unless it is well: {finding}"
            );
        }
        Report { exit_code: done.code, findings }
    }
}

impl Report {
    /// The only finding with this code.
    #[track_caller]
    pub fn the(&self, code: &str) -> Finding<'_> {
        let mut found = self.findings.iter().filter(|finding| finding["code"] == code);
        match (found.next(), found.next()) {
            (Some(one), None) => Finding(one),
            (None, _) => panic!("nothing about {code} in {:#?}", self.findings),
            (Some(_), Some(_)) => panic!("more than one {code} in {:#?}", self.findings),
        }
    }

    /// The first with this code that says so, of several.
    #[track_caller]
    pub fn saying(&self, code: &str, words: &str) -> Finding<'_> {
        let says =
            |finding: &&Value| finding["meaning"].as_str().is_some_and(|meaning| meaning.contains(words));
        let found = self.findings.iter().filter(|finding| finding["code"] == code).find(says);
        Finding(found.unwrap_or_else(|| panic!("no {code} says {words:?} in {:#?}", self.findings)))
    }

    /// The finding with this code about this sink, key or part.
    #[track_caller]
    pub fn about(&self, code: &str, subject: &str) -> Finding<'_> {
        let found =
            self.findings.iter().find(|finding| finding["code"] == code && finding["subject"] == subject);
        Finding(found.unwrap_or_else(|| panic!("no {code} about {subject} in {:#?}", self.findings)))
    }

    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.exit_code, code, "{:#?}", self.findings);
        self
    }

    /// Codes of all that is not well.
    pub fn complaints(&self) -> Vec<&str> {
        let complaints = self.findings.iter().filter(|finding| finding["level"] != "ok");
        complaints.map(|finding| finding["code"].as_str().expect("text")).collect()
    }
}

#[derive(Debug)]
pub struct Finding<'r>(&'r Value);

impl Finding<'_> {
    /// Asserts the level, and that meaning and advice together say each of these.
    #[track_caller]
    pub fn expect(&self, level: &str, words: &[&str]) {
        assert_eq!(self.0["level"], level, "{}", self.0);
        let said = format!("{} {}", self.0["meaning"], self.0["advice"]);
        for word in words {
            assert!(said.contains(word), "{word:?} is not in {said}");
        }
    }
}
