const SCRIPT: &str = include_str!("../../deploy/postgres/grants.sql");
const NAME: &str = "keyward_app";

/// Returns the statements of PostgreSQL that give a role what servers need and no more: records of the
/// audit log can be added, and not changed. `None` for a name that would have to be escaped.
#[must_use]
pub fn grants(role: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    // PostgreSQL cuts off what is longer.
    let harmless = (1..=63).contains(&role.len()) && role.bytes().all(plain);
    harmless.then(|| SCRIPT.replace(NAME, role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_stands_in_quotes_wherever_it_is_named() {
        let script = grants("web-1").unwrap();
        assert!(script.contains("GRANT SELECT, INSERT ON audit_log TO \"web-1\";"), "{script}");
        assert_eq!(script.matches("web-1").count(), script.matches("\"web-1\"").count());
        assert!(!script.contains(NAME));
        for name in ["", "a b", "a\"b", "a;b", "a'b", "ä", &"a".repeat(64)] {
            assert_eq!(grants(name), None, "{name}");
        }
    }

    #[test]
    fn every_table_is_named() {
        for file in std::fs::read_dir("migrations/postgres").unwrap() {
            let sql = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for table in sql.split("CREATE TABLE ").skip(1).filter_map(|rest| rest.split(' ').next()) {
                assert!(SCRIPT.contains(table), "{table} is missing in deploy/postgres/grants.sql");
            }
        }
    }
}
