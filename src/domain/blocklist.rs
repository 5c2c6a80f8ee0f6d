//! Passwords that attackers try first. The list is plain text, so that anyone can read it;
//! `blocklist/README.md` names its source and licence.

use std::sync::LazyLock;

static COMMON: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("blocklist/passwords.txt").lines().collect());

/// Runs of keys and letters that people type when they are asked for something long.
const WALKS: [&str; 6] = [
    "01234567890123456789012345678901234567890",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnmqwertyuiop",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "1q2w3e4r5t6y7u8i9o0p",
];

/// Tells whether a password is too easily guessed whatever its length: a common one, a common one
/// with digits or signs around it or in place of letters, a short piece repeated, or a walk over the
/// keyboard.
pub(super) fn holds(password: &str) -> bool {
    let lower = password.to_lowercase();
    let core = lower.trim_matches(|c: char| !c.is_alphabetic());
    let piece = repeated_piece(&lower);
    common(&lower) || common(core) || common(&plain(core)) || walk(&lower) || weak_piece(piece, &lower)
}

/// Puts the letters back in whose place people like to write digits and signs.
pub(super) fn plain(text: &str) -> String {
    let letter = |c| match c {
        '0' => 'o',
        '1' | '!' | '|' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' | '+' => 't',
        other => other,
    };
    text.chars().map(letter).collect()
}

fn common(text: &str) -> bool {
    COMMON.binary_search(&text).is_ok()
}

fn walk(text: &str) -> bool {
    let backwards: String = text.chars().rev().collect();
    WALKS.iter().any(|walk| walk.contains(text) || walk.contains(&backwards))
}

/// A piece of at most four characters over and over, or a common password twice or more.
fn weak_piece(piece: &str, whole: &str) -> bool {
    piece.len() < whole.len() && (piece.chars().count() <= 4 || common(piece) || walk(piece))
}

/// Returns the shortest piece that, repeated (the last time perhaps in part), gives `text`.
fn repeated_piece(text: &str) -> &str {
    text.char_indices()
        .skip(1)
        .map(|(end, _)| text.split_at(end))
        .find(|(piece, rest)| is_repetition(piece, rest))
        .map_or(text, |(piece, _)| piece)
}

fn is_repetition(piece: &str, rest: &str) -> bool {
    rest.len() >= piece.len() && rest.chars().zip(piece.chars().cycle()).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_lower_case() {
        assert!(COMMON.len() > 19_000);
        assert!(COMMON.is_sorted());
        assert!(COMMON.iter().all(|word| *word == word.to_lowercase()));
    }

    #[test]
    fn easy_passwords_are_held() {
        for easy in [
            "password",
            "Password",
            "password1234567",
            "!!!letmein!!!2026",
            "passwordpassword",
            "aaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "123456789012345",
            "543210987654321",
            "qwertyuiopasdfg",
            "1qaz2wsx3edc4rfv",
            "dragondragondragon",
            "P@ssw0rd1234567",
            "2026!!!Dr4g0n!!!2026",
        ] {
            assert!(holds(easy), "{easy}");
        }
    }

    #[test]
    fn good_passwords_are_not() {
        for good in [
            "correct horse battery staple",
            "a quiet lake at dawn",
            "4hXq-vTz9-mmRd-k2Lw",
            "Пароль из семи слов",
            "password manager made this",
        ] {
            assert!(!holds(good), "{good}");
        }
    }
}
