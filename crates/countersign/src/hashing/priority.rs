//! The operating system's priority of hashing threads: below those that check tokens, so that checks come first on every core.

/// Lowers the priority of the calling thread by `steps` of niceness. A no-op where threads have no priority of their own.
#[cfg(target_os = "linux")]
pub(super) fn lower(steps: u8) {
    use rustix::process::{getpriority_process, setpriority_process};

    // On Linux a thread's id means the thread alone: setpriority(2), "C library/kernel differences".
    let thread = Some(rustix::thread::gettid());
    let lowered =
        getpriority_process(thread).and_then(|now| setpriority_process(thread, (now + i32::from(steps)).min(19)));
    if let Err(error) = lowered {
        tracing::warn!(%error, "hashing threads keep the priority of all others");
    }
}

/// Lowers the priority of the calling thread by `steps` of niceness. A no-op where threads have no priority of their own.
#[cfg(not(target_os = "linux"))]
pub(super) fn lower(_steps: u8) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::getpriority_process;

    #[test]
    fn only_the_calling_thread_is_lowered() {
        let before = getpriority_process(None).expect("a priority");
        let inside = std::thread::spawn(|| {
            super::lower(3);
            getpriority_process(Some(rustix::thread::gettid())).expect("a priority")
        });
        assert_eq!(inside.join().expect("joined"), (before + 3).min(19));
        assert_eq!(getpriority_process(None).expect("a priority"), before);
    }
}
