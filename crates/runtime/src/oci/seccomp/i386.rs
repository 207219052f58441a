//! Docker's default profile for programs of 32-bit x86, which 64-bit kernels run too and whose calls have numbers of their own
//! (`arch/x86/entry/syscalls/syscall_32.tbl`): the same calls as for the others, and those that only they have. Programs
//! of the x32 ABI get ENOSYS for each call, as from a kernel that is built without it.

use super::profile::{NAMESPACES, NEWER, PERSONALITIES};
use crate::oci::spec::capability::bit;
use seccompiler::{BpfProgram, sock_filter};

const AUDIT_ARCH_I386: u32 = 0x4000_0003;
/// Where `struct seccomp_data` has them.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const CLONE: u32 = 120;
const PERSONALITY: u32 = 136;
const SOCKET: u32 = 359;

/// From a number to another, for anybody. `socketcall` is in, though its arguments cannot be looked at, as in Docker.
#[rustfmt::skip]
const ANYBODY: &[(u32, u32)] = &[
    (0, 16), // restart_syscall to lchown
    (19, 20), // lseek, getpid
    (23, 24), // setuid, getuid
    (26, 27), // ptrace, alarm
    (29, 30), // pause, utime
    (33, 33), // access
    (36, 43), // sync to times
    (45, 47), // brk to getgid
    (49, 50), // geteuid, getegid
    (54, 55), // ioctl, fcntl
    (57, 57), // setpgid
    (60, 60), // umask
    (63, 66), // dup2 to setsid
    (70, 71), // setreuid, setregid
    (75, 78), // setrlimit to gettimeofday
    (80, 83), // getgroups to symlink
    (85, 85), // readlink
    (90, 97), // mmap to setpriority
    (99, 100), // statfs, fstatfs
    (102, 102), // socketcall
    (104, 108), // setitimer to fstat
    (114, 114), // wait4
    (116, 119), // sysinfo to sigreturn
    (122, 126), // uname to sigprocmask
    (132, 133), // getpgid, fchdir
    (138, 148), // setfsuid to fdatasync
    (150, 165), // mlock to getresuid
    (168, 168), // poll
    (170, 187), // setresgid to sendfile
    (190, 216), // vfork to setfsgid32
    (218, 221), // mincore to fcntl64
    (224, 250), // gettid to fadvise64
    (252, 252), // exit_group
    (254, 263), // epoll_create to timer_delete
    (265, 272), // clock_gettime to fadvise64_64
    (277, 282), // mq_open to mq_getsetattr
    (284, 284), // waitid
    (289, 293), // ioprio_set to inotify_rm_watch
    (295, 309), // openat to ppoll
    (311, 316), // set_robust_list to vmsplice
    (318, 335), // getcpu to rt_tgsigqueueinfo
    (337, 337), // recvmmsg
    (339, 341), // fanotify_mark to name_to_handle_at
    (343, 345), // clock_adjtime to sendmmsg
    (347, 348), // process_vm_readv, process_vm_writev
    (351, 356), // sched_setattr to memfd_create
    (358, 358), // execveat
    (360, 373), // socketpair to shutdown
    (375, 386), // membarrier to rseq
    (393, 403), // semget to clock_gettime64
    (405, 414), // clock_adjtime64 to ppoll_time64
    (416, 424), // io_pgetevents_time64 to pidfd_send_signal
    (434, 434), // pidfd_open
    (436, 437), // close_range, openat2
    (439, 439), // faccessat2
    (441, 441), // epoll_pwait2
    (444, 449), // landlock_create_ruleset to futex_waitv
];

#[rustfmt::skip]
const GATES: &[(u64, &[u32])] = &[
    (
        bit("SYS_ADMIN"),
        &[
            357, // bpf
            120, // clone
            435, // clone3
            338, // fanotify_init
            431, // fsconfig
            432, // fsmount
            430, // fsopen
            433, // fspick
            253, // lookup_dcookie
            21,  // mount
            442, // mount_setattr
            429, // move_mount
            428, // open_tree
            336, // perf_event_open
            131, // quotactl
            443, // quotactl_fd
            121, // setdomainname
            74,  // sethostname
            346, // setns
            103, // syslog
            22,  // umount
            52,  // umount2
            310, // unshare
        ],
    ),
    (bit("DAC_READ_SEARCH"), &[342 /* open_by_handle_at */]),
    (bit("SYS_BOOT"), &[88 /* reboot */]),
    (bit("SYS_CHROOT"), &[61 /* chroot */]),
    (bit("SYS_MODULE"), &[128 /* init_module */, 129 /* delete_module */, 350 /* finit_module */]),
    (bit("SYS_PACCT"), &[51 /* acct */]),
    (bit("SYS_PTRACE"), &[349 /* kcmp */, 438 /* pidfd_getfd */, 440 /* process_madvise */]),
    (bit("SYS_TIME"), &[25 /* stime */, 79 /* settimeofday */, 264 /* clock_settime */, 404 /* clock_settime64 */]),
    (bit("SYS_TTY_CONFIG"), &[111 /* vhangup */]),
    (bit("SYS_NICE"), &[274 /* mbind */, 275 /* get_mempolicy */, 276 /* set_mempolicy */, 450 /* set_mempolicy_home_node */]),
    (bit("SYSLOG"), &[103 /* syslog */]),
    (bit("BPF"), &[357 /* bpf */]),
    (bit("PERFMON"), &[336 /* perf_event_open */]),
    (bit("SYS_RAWIO"), &[101 /* ioperm */, 110 /* iopl */]),
];

/// Before the filter of 64-bit programs, which kills whoever calls in another way.
pub fn before(native: BpfProgram, capabilities: u64) -> BpfProgram {
    let own = filter(capabilities);
    let past_own = u32::try_from(own.len()).expect("a filter has 4096 instructions at most");
    let branch = [load(ARCH), jump_equal(AUDIT_ARCH_I386, 1, 0), step(libc::BPF_JMP | libc::BPF_JA, 0, 0, past_own)];
    branch.into_iter().chain(own).chain(native).collect()
}

fn filter(capabilities: u64) -> Vec<sock_filter> {
    let mut filter = vec![load(NUMBER)];
    let personalities = PERSONALITIES.iter().flat_map(|value| [jump_equal(*value as u32, 0, 1), allow()]);
    filter.extend(of(PERSONALITY, personalities.chain([refuse()]).collect()));
    filter.extend(of(SOCKET, vec![jump_equal(libc::AF_VSOCK as u32, 1, 0), allow(), refuse()]));
    if capabilities & bit("SYS_ADMIN") == 0 {
        let namespaces = step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 1, 0, NAMESPACES as u32);
        filter.extend(of(CLONE, vec![namespaces, allow(), refuse()]));
    }
    let opened = GATES.iter().filter(|(capability, _)| capabilities & capability != 0).flat_map(|(_, numbers)| *numbers);
    let single = opened.copied().chain(NEWER.iter().map(|number| *number as u32)).map(|number| (number, number));
    for (first, last) in ANYBODY.iter().copied().chain(single) {
        let at_least = step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 2, first);
        let beyond = step(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, 1, 0, last);
        filter.extend([at_least, beyond, allow()]);
    }
    filter.push(refuse());
    filter
}

/// What is said to one call, by its first argument.
fn of(number: u32, said: Vec<sock_filter>) -> Vec<sock_filter> {
    let past = u8::try_from(said.len() + 1).expect("a few instructions");
    [jump_equal(number, 0, past), load(FIRST_ARGUMENT)].into_iter().chain(said).collect()
}

fn load(offset: u32) -> sock_filter {
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump_equal(value: u32, jt: u8, jf: u8) -> sock_filter {
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, jt, jf, value)
}

fn allow() -> sock_filter {
    step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW)
}

fn refuse() -> sock_filter {
    step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32)
}

fn step(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}
