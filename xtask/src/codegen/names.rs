//! AWS's names as Rust's.

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else", "enum", "extern",
    "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override",
    "priv", "pub", "ref", "return", "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Types generated code uses unqualified, so a shape of that name must step aside.
const TAKEN: &[&str] = &["BTreeMap", "Box", "Default", "Error", "Option", "Result", "Self", "String", "Vec"];

/// Words AWS writes in a way that would fall apart.
const WORDS: &[(&str, &str)] =
    &[("MiB", "Mib"), ("GiB", "Gib"), ("ARNs", "Arns"), ("IDs", "Ids"), ("IPs", "Ips"), ("VPCs", "Vpcs")];

/// `sizeInMiB` is `size_in_mib`, `type` is `r#type`.
pub fn member(name: &str) -> String {
    raw(&snake(name))
}

/// A structure, enum or operation.
pub fn shape(name: &str) -> String {
    let name = capitalized(&words(name, |c| c.is_ascii_alphanumeric()).concat());
    if TAKEN.contains(&name.as_str()) { format!("{name}Shape") } else { name }
}

/// `FARGATE_SPOT` is `FargateSpot`, `json-file` is `JsonFile`, `X86_64` is `X86_64`.
pub fn variant(value: &str) -> String {
    let mut name = String::new();
    for word in words(value, |c| c.is_ascii_alphanumeric()) {
        if name.ends_with(|c: char| c.is_ascii_digit()) && word.starts_with(|c: char| c.is_ascii_digit()) {
            name.push('_');
        }
        let shouted = !word.contains(|c: char| c.is_ascii_lowercase());
        name += &capitalized(&if shouted { word.to_ascii_lowercase() } else { word.to_owned() });
    }
    match name.as_str() {
        "" => "Empty".to_owned(),
        "Self" | "UnknownValue" => name + "_",
        _ if name.starts_with(|c: char| c.is_ascii_digit()) => format!("V{name}"),
        _ => name,
    }
}

/// `clusterArn` is `CLUSTER_ARN`.
pub fn constant(name: &str) -> String {
    snake(name).to_ascii_uppercase()
}

pub fn snake(name: &str) -> String {
    let mut name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    for (from, to) in WORDS {
        name = name.replace(from, to);
    }
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let after = letters.get(index + 1);
        let ends_word = before.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let ends_acronym = before.is_some_and(|c| c.is_ascii_uppercase()) && after.is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (ends_word || ends_acronym) {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

pub fn raw(name: &str) -> String {
    match name {
        // These cannot be raw identifiers.
        "self" | "super" | "crate" => format!("{name}_"),
        _ if KEYWORDS.contains(&name) => format!("r#{name}"),
        _ => name.to_owned(),
    }
}

fn words(text: &str, part: impl Fn(char) -> bool) -> Vec<&str> {
    text.split(|c| !part(c)).filter(|word| !word.is_empty()).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_snake_case() {
        let cases = [
            ("clusterArn", "cluster_arn"),
            ("type", "r#type"),
            ("sizeInMiB", "size_in_mib"),
            ("privateIpv4Address", "private_ipv4_address"),
            ("DBInstanceIdentifier", "db_instance_identifier"),
            ("SSEKMSKeyId", "ssekms_key_id"),
            ("TaskARNs", "task_arns"),
            ("s3-bucket", "s3_bucket"),
            ("self", "self_"),
        ];
        for (name, expected) in cases {
            assert_eq!(member(name), expected);
        }
    }

    #[test]
    fn variants_are_camel_case() {
        let cases = [
            ("FARGATE_SPOT", "FargateSpot"),
            ("json-file", "JsonFile"),
            ("TaskFailedToStart", "TaskFailedToStart"),
            ("X86_64", "X86_64"),
            ("EC2", "Ec2"),
            ("http2", "Http2"),
            ("5xx", "V5xx"),
            ("", "Empty"),
            ("self", "Self_"),
        ];
        for (value, expected) in cases {
            assert_eq!(variant(value), expected);
        }
    }

    #[test]
    fn shapes_keep_their_names_unless_taken() {
        assert_eq!((shape("Task"), shape("Error"), shape("accountId")), ("Task".into(), "ErrorShape".into(), "AccountId".into()));
    }
}
