//! What to execute: entry point and command of the definition over those of the image, merged exactly as Docker merges.

use super::Error;
use workload::{ContainerSpec, Image};

/// Where the init process is found inside a container that asks for one.
pub const INIT: &str = "/dev/init";

pub fn of(container: &ContainerSpec, image: &Image) -> Result<Vec<String>, Error> {
    let args = merge(container.entry_point.as_deref(), container.command.as_deref(), image);
    if args.is_empty() {
        return Err(Error::Create("no command specified".to_owned()));
    }
    let init = if container.init_process { vec![INIT, "init", "--"] } else { Vec::new() };
    Ok(init.into_iter().map(str::to_owned).chain(args).collect())
}

/// An entry point of the definition also does away with the image's command; `[""]` only does away with the entry point.
fn merge(entry_point: Option<&[String]>, command: Option<&[String]>, image: &Image) -> Vec<String> {
    let command = command.unwrap_or_default();
    let replaces_entry_point = entry_point.is_some_and(|e| !e.is_empty());
    let command = if command.is_empty() && !replaces_entry_point { &image.command } else { command };
    let entry_point = entry_point.unwrap_or(&image.entry_point);
    let entry_point = if entry_point == [""] { &[][..] } else { entry_point };
    entry_point.iter().chain(command).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entry_point: Option<&str>, command: Option<&str>, expected: &str) {
        let words = |text: &str| text.split_whitespace().map(|w| w.trim_matches('"').to_owned()).collect::<Vec<_>>();
        let image = Image { entry_point: words("ie"), command: words("ic"), ..Image::default() };
        let container = ContainerSpec { entry_point: entry_point.map(words), command: command.map(words), ..Default::default() };
        let result = of(&container, &image).map(|args| args.join(" ")).unwrap_or_else(|e| e.to_string());
        assert_eq!(result, expected, "{entry_point:?} {command:?}");
    }

    #[test]
    fn merges_as_docker_does() {
        check(None, None, "ie ic");
        check(None, Some("c"), "ie c");
        check(None, Some(""), "ie ic");
        check(Some("e"), None, "e");
        check(Some("e"), Some("c"), "e c");
        check(Some(""), None, "ic");
        check(Some(""), Some("c"), "c");
        check(Some("\"\""), None, "no command specified");
        check(Some("\"\""), Some("c"), "c");
    }

    #[test]
    fn init_runs_before_the_program() {
        let container =
            ContainerSpec { init_process: true, command: Some(vec!["sleep".into(), "1".into()]), ..Default::default() };
        assert_eq!(of(&container, &Image::default()).unwrap().join(" "), "/dev/init init -- sleep 1");
    }
}
