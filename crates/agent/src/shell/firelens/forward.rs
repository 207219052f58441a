//! Lines as a log router takes them: messages of the Fluentd forward protocol (v1, message mode), as Docker's fluentd driver
//! writes them: `[tag, time, {container_id, container_name, source, log}, {}]`. Pure.

use crate::shell::logging::{Line, Stream};
use rmp::encode::{write_array_len, write_ext_meta, write_map_len, write_str};

/// `EventTime`, with nanoseconds (`fluentd-sub-second-precision`).
const EVENT_TIME: i8 = 0;
const EVENT_TIME_BYTES: u32 = 8;

/// Who wrote, the same for every line of a container's run.
#[derive(Clone, Debug)]
pub struct Origin {
    pub tag: String,
    pub container_id: String,
    pub container_name: String,
}

impl Origin {
    pub fn new(task: &workload::TaskSpec, container: &str, runtime_id: &str) -> Origin {
        Origin {
            tag: format!("{container}-firelens-{}", task.id),
            container_id: runtime_id.to_owned(),
            container_name: format!("/{}", task.docker_name(container, runtime_id)),
        }
    }
}

/// Appends one message.
pub fn encode(origin: &Origin, line: &Line, out: &mut Vec<u8>) {
    let source = match line.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    let record = [
        ("container_id", origin.container_id.as_str()),
        ("container_name", origin.container_name.as_str()),
        ("source", source),
        ("log", line.text),
        ("partial_message", "true"),
    ];
    let fields = if line.partial { &record[..] } else { &record[..4] };
    put(origin, u64::try_from(line.time_ms).unwrap_or_default(), fields, out).expect("a Vec takes everything");
}

type Put = Result<(), rmp::encode::ValueWriteError>;

fn put(origin: &Origin, at_ms: u64, fields: &[(&str, &str)], out: &mut Vec<u8>) -> Put {
    write_array_len(out, 4)?;
    write_str(out, &origin.tag)?;
    write_ext_meta(out, EVENT_TIME_BYTES, EVENT_TIME)?;
    let seconds = u32::try_from(at_ms / 1000).unwrap_or(u32::MAX); // until 2106, as the protocol has it
    let nanoseconds = (at_ms % 1000) as u32 * 1_000_000;
    out.extend(seconds.to_be_bytes().into_iter().chain(nanoseconds.to_be_bytes()));
    write_map_len(out, fields.len() as u32)?;
    for (name, value) in fields {
        write_str(out, name)?;
        write_str(out, value)?;
    }
    write_map_len(out, 0)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(line: Line, expected: Expect) {
        let task = workload::TaskSpec { id: "t1".into(), family: "web".into(), revision: 3, ..Default::default() };
        let mut out = vec![];
        encode(&Origin::new(&task, "app", "0123"), &line, &mut out);
        expected.assert_eq(&out.escape_ascii().to_string());
    }

    #[test]
    fn a_line_is_a_message_of_the_forward_protocol() {
        check(
            Line { time_ms: 1_700_000_000_250, stream: Stream::Stdout, text: "häll", partial: false, end: 0 },
            expect![[
                r#"\x94\xafapp-firelens-t1\xd7\x00eS\xf1\x00\x0e\xe6\xb2\x80\x84\xaccontainer_id\xa40123\xaecontainer_name\xb3/ecs-web-3-app-0123\xa6source\xa6stdout\xa3log\xa5h\xc3\xa4ll\x80"#
            ]],
        );
        check(
            Line { time_ms: 0, stream: Stream::Stderr, text: "", partial: true, end: 0 },
            expect![[
                r#"\x94\xafapp-firelens-t1\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x00\x85\xaccontainer_id\xa40123\xaecontainer_name\xb3/ecs-web-3-app-0123\xa6source\xa6stderr\xa3log\xa0\xafpartial_message\xa4true\x80"#
            ]],
        );
    }
}
