//! System calls, by seccomp: a list of those that a run makes, with the arguments where these decide. All others fail as if the
//! kernel did not know them, so that a library falls back on what it does on an older kernel.

use std::{collections::BTreeMap, fmt::Debug};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::Guard;

/// Calls that may be made with any arguments: those on files and memory that the process has already, on its own threads, and
/// on paths as far as Landlock restricts them. Modes and times of files it does not.
const ALLOWED: &[i64] = &[
    // Files that are open, and paths.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_lseek,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_flock,
    libc::SYS_getdents64,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    libc::SYS_umask,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_brk,
    libc::SYS_memfd_create,
    libc::SYS_membarrier,
    // Threads, time, signals to itself.
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigpending,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What older C libraries call on this architecture.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_dup2,
    libc::SYS_rename,
    libc::SYS_link,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_readlink,
    libc::SYS_getpgrp,
    libc::SYS_time,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// What a terminal is asked, and told. Each C library has a type of its own for it.
const IOCTLS: [libc::Ioctl; 7] =
    [libc::TCGETS, libc::TCSETS, libc::TCSETSW, libc::TCSETSF, libc::TIOCGWINSZ, libc::FIONBIO, libc::FIONREAD];

/// Locks of files, and how they are open. Others have the system send signals, to any process.
const FCNTLS: [i32; 12] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_GETLK,
    libc::F_SETLK,
    libc::F_SETLKW,
    libc::F_ADD_SEALS,
    libc::F_GET_SEALS,
    libc::F_OFD_SETLK,
];

/// Names of threads and of memory; whether it may be dumped.
const PRCTLS: [i32; 5] =
    [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA, libc::PR_SET_DUMPABLE, libc::PR_GET_DUMPABLE];

/// Gives up all system calls but these, in all threads.
pub(super) fn confine() -> Guard {
    match filter().and_then(|program| seccompiler::apply_filter_all_threads(&program)) {
        Ok(()) => Guard::InForce,
        Err(error) => Guard::Missing(format!("seccomp fails: {error}")),
    }
}

fn filter() -> Result<BpfProgram, seccompiler::Error> {
    let own_pid = u64::from(std::process::id());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().chain(ALLOWED_HERE).map(|&call| (call, Vec::new())).collect();
    let mut allow = |call: i64, conditions: Vec<SeccompCondition>| -> Result<(), seccompiler::Error> {
        rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
        Ok(())
    };
    // New machine code would be somebody else's.
    let not_executable = || long(2, SeccompCmpOp::MaskedEq(flag(libc::PROT_EXEC)), 0);
    allow(libc::SYS_mmap, vec![not_executable()?])?;
    allow(libc::SYS_mprotect, vec![not_executable()?])?;
    // Threads, but no processes. `clone3` hides its flags in memory: without it the C library takes this one.
    let is_thread = long(0, SeccompCmpOp::MaskedEq(flag(libc::CLONE_THREAD)), flag(libc::CLONE_THREAD))?;
    allow(libc::SYS_clone, vec![is_thread])?;
    for call in [libc::SYS_kill, libc::SYS_tgkill] {
        allow(call, vec![int(0, own_pid)?])?;
    }
    // Its own limits may be asked for, not set.
    allow(libc::SYS_prlimit64, vec![int(0, 0)?, long(2, SeccompCmpOp::Eq, 0)?])?;
    for request in IOCTLS {
        allow(libc::SYS_ioctl, vec![int(1, number(request))?])?;
    }
    for command in FCNTLS {
        allow(libc::SYS_fcntl, vec![int(1, flag(command))?])?;
    }
    for option in PRCTLS {
        allow(libc::SYS_prctl, vec![int(0, flag(option))?])?;
    }
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let filter = SeccompFilter::new(rules, unknown, SeccompAction::Allow, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

/// A condition on an argument of which the kernel looks at 64 bits.
fn long(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, compare, value)
}

/// One has this value, of which the kernel looks at 32 bits.
fn int(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn flag(bits: i32) -> u64 {
    u64::from(bits.cast_unsigned())
}

fn number(request: impl TryInto<u64, Error: Debug>) -> u64 {
    request.try_into().expect("on no architecture with such filters is one of them negative")
}
