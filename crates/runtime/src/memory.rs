//! What the C library's allocator keeps of memory that was freed: nothing here decides what is allocated.

/// To be called before there are threads. By itself the allocator makes a heap for nearly every thread, and each keeps the
/// most that its threads ever needed: a server that has stopped its tasks would stay as large as when it ran them.
#[allow(unsafe_code)]
pub fn share_heaps() {
    const HEAPS: libc::c_int = 2;
    // SAFETY: takes integers; an allocator that refuses stays as it was.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
    }
}

/// Hands freed pages back: hundreds of idle shims add up.
#[allow(unsafe_code)]
pub fn trim() {
    // SAFETY: takes an integer and touches free memory only.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}
