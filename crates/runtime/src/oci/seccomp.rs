//! The system call filter of containers: Docker's default profile, compiled to BPF for the capabilities a program has, and
//! loaded by `launch` as the last thing before it. Two filters are stacked: one allows, the other says ENOSYS where a
//! program must learn that a call does not exist rather than that it is forbidden.

#[cfg(target_arch = "x86_64")]
mod i386;
mod profile;

use crate::oci::program::Program;
use nix::errno::Errno;
use profile::{Only, Rule};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    sock_filter,
};
use std::collections::BTreeMap;

#[cfg(target_arch = "x86_64")]
const ARCH: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: TargetArch = TargetArch::aarch64;

const EPERM: SeccompAction = SeccompAction::Errno(libc::EPERM as u32);

/// In the order of loading. Empty: unconfined.
#[derive(Clone, Default)]
pub struct Filters(Vec<BpfProgram>);

impl Filters {
    pub fn of(program: &Program) -> Filters {
        if !program.seccomp {
            return Filters::default();
        }
        let rules = profile::rules(program.capabilities);
        let allowed = allow(&rules);
        #[cfg(target_arch = "x86_64")]
        let allowed = i386::before(allowed, program.capabilities);
        Filters(vec![allowed, unknown(&rules, program.capabilities)])
    }

    /// The thread must have CAP_SYS_ADMIN or no new privileges.
    pub fn load(&self) -> nix::Result<()> {
        self.0.iter().try_for_each(|filter| load(filter))
    }
}

/// What no rule allows is EPERM.
fn allow(rules: &[Rule]) -> BpfProgram {
    let mut by_number: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for rule in rules {
        by_number.entry(rule.number).or_default().extend(conditions(&rule.only));
    }
    let filter = SeccompFilter::new(by_number, EPERM, SeccompAction::Allow, ARCH);
    filter.and_then(BpfProgram::try_from).expect("the profile is a constant, and the tests compile it")
}

/// Alternatives; none is "always". These arguments are ints to the kernel: what stands in their upper halves must not count.
fn conditions(only: &Only) -> Vec<SeccompRule> {
    let rule = |operator, value| {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, value);
        condition.and_then(|c| SeccompRule::new(vec![c])).expect("the first argument exists")
    };
    match only {
        Only::Always => Vec::new(),
        Only::FirstIs(values) => values.iter().map(|value| rule(SeccompCmpOp::Eq, *value)).collect(),
        Only::FirstIsNot(value) => vec![rule(SeccompCmpOp::Ne, *value)],
        Only::FirstLacks(mask) => vec![rule(SeccompCmpOp::MaskedEq(*mask), 0)],
    }
}

/// ENOSYS makes C libraries fall back: from clone3 to clone, whose flags can be looked at, and from calls newer than the
/// profile to the ones it knows (runc does the same). Among filters that refuse, the last one loaded has its say.
fn unknown(rules: &[Rule], capabilities: u64) -> BpfProgram {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const JUMP_GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let newest = rules.iter().map(|rule| rule.number).max().unwrap_or_default() as u32;
    // Whoever may make namespaces may use clone3: then nothing equals.
    let clone3 = if profile::may_clone3(capabilities) { u32::MAX } else { libc::SYS_clone3 as u32 };
    vec![
        step(LOAD_NUMBER, 0, 0, 0),
        step(JUMP_EQUAL, 1, 0, clone3),
        step(JUMP_GREATER, 0, 1, newest),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

/// Not seccompiler's own: that one sets no_new_privs, which would break setuid programs.
#[allow(unsafe_code)]
fn load(filter: &[sock_filter]) -> nix::Result<()> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut().cast() };
    // SAFETY: `sock_filter` is the kernel's structure, and the kernel copies the program before the call returns.
    Errno::result(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &program) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::spec::capability::{ALL, bit};

    const NEWER_THAN_ANY: i32 = 0x3ff;

    #[test]
    fn the_profile_compiles_for_any_capabilities() {
        for capabilities in [0, 0xa804_25fb, ALL] {
            let filters = Filters::of(&Program { seccomp: true, capabilities, ..Program::default() });
            assert!(filters.0.iter().all(|filter| (4..4096).contains(&filter.len())), "{capabilities:x}");
        }
    }

    #[test]
    fn unconfined_has_no_filter() {
        assert!(Filters::of(&Program::default()).0.is_empty());
    }

    #[test]
    fn capabilities_open_their_calls() {
        let allows = |number: i64, capabilities: u64| {
            profile::rules(capabilities).iter().any(|r| r.number == number && matches!(r.only, Only::Always))
        };
        let cases = [
            (libc::SYS_read, 0, true),
            (libc::SYS_mount, 0, false),
            (libc::SYS_mount, bit("SYS_ADMIN"), true),
            (libc::SYS_unshare, 0, false),
            (libc::SYS_clone, 0, false),
            (libc::SYS_clone, bit("SYS_ADMIN"), true),
            (libc::SYS_chroot, bit("SYS_CHROOT"), true),
            (libc::SYS_reboot, bit("SYS_ADMIN"), false),
            (libc::SYS_bpf, bit("BPF"), true),
            (libc::SYS_keyctl, ALL, false),
            (libc::SYS_io_uring_setup, ALL, false),
        ];
        for (number, capabilities, expected) in cases {
            assert_eq!(allows(number, capabilities), expected, "{number} with {capabilities:x}");
        }
    }

    /// Loads the filters in a child, because they stay for good; whether `check` is right with them.
    #[allow(unsafe_code)]
    fn holds_filtered(check: fn() -> bool) -> bool {
        let filters = Filters::of(&Program { seccomp: true, capabilities: 0xa804_25fb, ..Program::default() });
        let filtered = || nix::sys::prctl::set_no_new_privs().and_then(|()| filters.load()).is_ok() && check();
        // SAFETY: the child makes system calls only and ends.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => unsafe { libc::_exit(if filtered() { 0 } else { 1 }) },
            nix::unistd::ForkResult::Parent { child } => {
                nix::sys::wait::waitpid(child, None).unwrap() == nix::sys::wait::WaitStatus::Exited(child, 0)
            }
        }
    }

    #[allow(unsafe_code)]
    fn errno_of(number: i64, first: u64) -> i32 {
        // SAFETY: the calls below touch no memory.
        match Errno::result(unsafe { libc::syscall(number, first, 0, 0, 0, 0) }) {
            Ok(_) => 0,
            Err(errno) => errno as i32,
        }
    }

    #[test]
    fn the_kernel_refuses_what_is_forbidden_and_does_not_know_what_is_too_new() {
        const NEW_USER_NAMESPACE: u64 = libc::CLONE_NEWUSER as u64;
        assert!(holds_filtered(|| {
            [
                errno_of(libc::SYS_getppid, 0) == 0,
                errno_of(libc::SYS_clone3, 0) == libc::ENOSYS,
                errno_of(NEWER_THAN_ANY.into(), 0) == libc::ENOSYS,
                errno_of(libc::SYS_clone, NEW_USER_NAMESPACE) == libc::EPERM,
                errno_of(libc::SYS_unshare, 0) == libc::EPERM,
                errno_of(libc::SYS_keyctl, 0) == libc::EPERM,
                errno_of(libc::SYS_socket, libc::AF_VSOCK as u64) == libc::EPERM,
                errno_of(libc::SYS_socket, libc::AF_VSOCK as u64 | 1 << 32) == libc::EPERM,
                errno_of(libc::SYS_personality, 0xffff_ffff) == 0,
                errno_of(libc::SYS_personality, 0x40000) == libc::EPERM,
            ]
            .iter()
            .all(|right| *right)
        }));
    }

    /// A call as 32-bit programs make it; such a kernel answers 64-bit ones as well.
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code)]
    fn call_i386(number: i32, first: u32) -> i32 {
        let answer: i32;
        // SAFETY: the calls below touch no memory; rbx, which the compiler keeps, is given back.
        unsafe {
            std::arch::asm!(
                "xchg {first:r}, rbx", "int 0x80", "xchg {first:r}, rbx",
                first = inout(reg) u64::from(first) => _,
                inlateout("eax") number => answer,
                in("ecx") 0, in("edx") 0, in("esi") 0, in("edi") 0,
                lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
            );
        }
        answer
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn programs_of_32_bits_are_filtered_alike() {
        const GETPPID: i32 = 64;
        const READDIR: i32 = 89;
        const CLONE: i32 = 120;
        const SETDOMAINNAME: i32 = 121;
        const PERSONALITY: i32 = 136;
        const KEYCTL: i32 = 288;
        const SOCKET: i32 = 359;
        const CLONE3: i32 = 435;
        if call_i386(GETPPID, 0) == -libc::ENOSYS {
            println!("this kernel runs no 32-bit programs: nothing tested");
            return;
        }
        assert!(holds_filtered(|| {
            [
                call_i386(GETPPID, 0) > 0,
                call_i386(CLONE3, 0) == -libc::ENOSYS,
                call_i386(NEWER_THAN_ANY, 0) == -libc::ENOSYS,
                call_i386(CLONE, libc::CLONE_NEWUSER as u32) == -libc::EPERM,
                call_i386(SETDOMAINNAME, 0) == -libc::EPERM,
                call_i386(KEYCTL, 0) == -libc::EPERM,
                call_i386(SOCKET, libc::AF_VSOCK as u32) == -libc::EPERM,
                call_i386(SOCKET, libc::AF_UNIX as u32) == -libc::ESOCKTNOSUPPORT,
                call_i386(PERSONALITY, 0xffff_ffff) == 0,
                call_i386(PERSONALITY, 0x40000) == -libc::EPERM,
                call_i386(READDIR, 0) == -libc::EPERM,
            ]
            .iter()
            .all(|right| *right)
        }));
    }
}
