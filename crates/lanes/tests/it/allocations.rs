//! The caller's loop allocates nothing, however long it runs.
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroU32;

use countersign_lanes::{Batch, Job, MAX_WIDTH};

use crate::every_path;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, with a count for each thread.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all calls go to the system's allocator with the arguments that came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no count left, and is not one that counts.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, so from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn filling_advancing_and_emptying_a_batch_allocates_nothing() {
    for (path, lanes) in every_path() {
        let mut batch = Batch::new(lanes, MAX_WIDTH);
        let rounds = (1..=100).filter_map(NonZeroU32::new);
        let mut waiting: Vec<Job> = rounds.map(|rounds| Job::new(b"password", b"salt", rounds)).collect();
        let before = ALLOCATIONS.get();
        while !waiting.is_empty() || !batch.is_empty() {
            while batch.room() > 0
                && let Some(job) = waiting.pop()
            {
                let tag = job.remaining();
                batch.insert(job, tag).expect("there is room");
            }
            batch.retain(|tag| tag % 7 != 0);
            batch.advance(13);
            batch.take_finished().for_each(drop);
        }
        assert_eq!(ALLOCATIONS.get(), before, "{path}");
    }
}
