//! Device rules of a version 2 group: a small eBPF program the kernel asks at every open and mknod of a device. Assembled
//! here, instruction by instruction, because all it does is compare four numbers.

use super::devices::{Kind, Rule};
use nix::errno::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

/// `struct bpf_insn` of linux/bpf.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u8,
    /// Destination in the lower four bits, source in the upper.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb4;
const MOVE_REGISTER: u8 = 0xbc;
const AND: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_UNEQUAL: u8 = 0x56;
const JUMP_UNEQUAL_REGISTER: u8 = 0x5e;
const EXIT: u8 = 0x95;

/// r1 is the context on entry and scratch afterwards, r0 the result.
const RESULT: u8 = 0;
const SCRATCH: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const MKNOD: i32 = 1;
const READ: i32 = 2;
const WRITE: i32 = 4;

/// The context is `struct bpf_cgroup_dev_ctx`: access and type in one word, then major and minor.
fn program(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        instruction(LOAD_WORD, TYPE, SCRATCH, 0, 0),
        instruction(LOAD_WORD, MAJOR, SCRATCH, 4, 0),
        instruction(LOAD_WORD, MINOR, SCRATCH, 8, 0),
        instruction(MOVE_REGISTER, ACCESS, TYPE, 0, 0),
        instruction(AND, TYPE, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, ACCESS, 0, 0, 16),
    ];
    program.extend(rules.iter().flat_map(rule));
    program.extend(answer(0));
    program
}

/// Allows if everything matches; any mismatch jumps past it.
fn rule(rule: &Rule) -> Vec<Instruction> {
    let kind = match rule.kind {
        Kind::All => None,
        Kind::Block => Some(1),
        Kind::Char => Some(2),
    };
    let access = [(rule.mknod, MKNOD), (rule.read, READ), (rule.write, WRITE)].iter().filter(|a| a.0).map(|a| a.1).sum();
    let numbers = [(TYPE, kind), (MAJOR, rule.major.map(|n| n as i32)), (MINOR, rule.minor.map(|n| n as i32))];
    let mut tests: Vec<Instruction> =
        numbers.into_iter().filter_map(|(register, number)| Some(instruction(JUMP_UNEQUAL, register, 0, 0, number?))).collect();
    tests.push(instruction(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
    tests.push(instruction(AND, SCRATCH, 0, 0, access));
    tests.push(instruction(JUMP_UNEQUAL_REGISTER, SCRATCH, ACCESS, 0, 0));
    tests.extend(answer(1));
    let end = tests.len();
    for (index, test) in tests.iter_mut().enumerate().filter(|(_, t)| matches!(t.code, JUMP_UNEQUAL | JUMP_UNEQUAL_REGISTER)) {
        test.offset = (end - index - 1) as i16;
    }
    tests
}

fn answer(result: i32) -> [Instruction; 2] {
    [instruction(MOVE, RESULT, 0, 0, result), instruction(EXIT, 0, 0, 0, 0)]
}

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: destination | source << 4, offset, immediate }
}

/// The beginning of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
}

/// The beginning of `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

const BPF_PROG_LOAD: i32 = 5;
const BPF_PROG_ATTACH: i32 = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
/// Every program of a group and of those above it has to allow.
const BPF_F_ALLOW_MULTI: u32 = 2;

/// For as long as the group exists.
pub fn attach(group: &Path, rules: &[Rule]) -> io::Result<()> {
    let group = File::open(group)?;
    let program = load(&program(rules))?;
    let attach = Attach {
        target: group.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    bpf(BPF_PROG_ATTACH, &attach).map(drop)
}

#[allow(unsafe_code)]
fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let load = Load {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buffer: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(bpf(BPF_PROG_LOAD, &load)?) })
}

#[allow(unsafe_code)]
fn bpf<T>(command: i32, attributes: &T) -> io::Result<i32> {
    // SAFETY: both structures begin as the kernel's union does and say their size; what they point to outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    Ok(Errno::result(result)? as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::cgroup::devices::default_and;

    /// The kernel's interpreter, as far as `program` uses it.
    fn allows(rules: &[Rule], kind: i32, access: i32, major: i32, minor: i32) -> bool {
        let (program, context) = (program(rules), [access << 16 | kind, major, minor]);
        let (mut registers, mut at) = ([0i32; 6], 0usize);
        loop {
            let i = program[at];
            let (to, from) = ((i.registers & 15) as usize, (i.registers >> 4) as usize);
            at += 1;
            match i.code {
                LOAD_WORD => registers[to] = context[i.offset as usize / 4],
                MOVE => registers[to] = i.immediate,
                MOVE_REGISTER => registers[to] = registers[from],
                AND => registers[to] &= i.immediate,
                SHIFT_RIGHT => registers[to] >>= i.immediate,
                JUMP_UNEQUAL if registers[to] != i.immediate => at += i.offset as usize,
                JUMP_UNEQUAL_REGISTER if registers[to] != registers[from] => at += i.offset as usize,
                JUMP_UNEQUAL | JUMP_UNEQUAL_REGISTER => {}
                EXIT => return registers[0] == 1,
                code => panic!("{code:x}"),
            }
        }
    }

    #[test]
    fn dockers_list_opens_null_and_makes_but_does_not_open_a_disk() {
        let rules =
            default_and([Rule { kind: Kind::Char, major: Some(10), minor: Some(229), read: true, write: false, mknod: false }]);
        let (block, char) = (1, 2);
        let cases = [
            (char, READ | WRITE, 1, 3, true),
            (char, READ, 1, 11, false),
            (block, MKNOD, 254, 0, true),
            (block, READ, 254, 0, false),
            (block, MKNOD | READ, 254, 0, false),
            (char, WRITE, 136, 77, true),
            (block, WRITE, 136, 77, false),
            (char, READ, 10, 229, true),
            (char, WRITE, 10, 229, false),
        ];
        for (kind, access, major, minor, expected) in cases {
            assert_eq!(allows(&rules, kind, access, major, minor), expected, "{kind} {access} {major}:{minor}");
        }
        assert!(allows(&[super::super::devices::EVERYTHING], block, READ | WRITE, 254, 0));
    }

    /// On a hybrid host as well: device programs work wherever a cgroup2 is mounted.
    #[test]
    #[allow(unsafe_code)]
    fn the_kernel_takes_the_program_and_obeys_it() {
        let root =
            ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].iter().find(|root| Path::new(root).join("cgroup.controllers").exists());
        let (Some(root), true) = (root, nix::unistd::geteuid().is_root()) else {
            return eprintln!("SKIPPED: needs root and a cgroup2");
        };
        let group = Path::new(root).join(format!("slipway-bpf-test-{}", std::process::id()));
        std::fs::create_dir(&group).unwrap();
        attach(&group, &default_and([])).unwrap();
        // SAFETY: the child opens two files and ends.
        let status = match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                let joined = std::fs::write(group.join("cgroup.procs"), "0").is_ok();
                let zero = File::open("/dev/zero").is_ok();
                let kmsg = File::open("/dev/kmsg").map_err(|e| e.raw_os_error()).err() == Some(Some(libc::EPERM));
                unsafe { libc::_exit(if joined && zero && kmsg { 0 } else { 1 }) }
            }
            nix::unistd::ForkResult::Parent { child } => nix::sys::wait::waitpid(child, None).unwrap(),
        };
        std::fs::remove_dir(&group).unwrap();
        assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)), "{status:?}");
    }
}
