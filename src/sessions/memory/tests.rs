//! The shelves.

use super::*;
use std::{collections::HashSet, time::Duration};
use tokio::time::advance;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn memory(capacity: u64) -> Memory {
    Memory::new(&Settings { capacity, idle_ttl: DAY, ..Settings::default() })
}

fn key(id: u32) -> Key {
    let bytes = [&[0], id.to_string().as_bytes()].concat();
    Key { space: Space::Sessions, bytes: KeyBytes::from(&bytes[..]) }
}

fn change(id: u32, seen: Option<Bytes>, new: Option<Bytes>, pin: bool) -> Change {
    Change { key: key(id), seen, new, pin }
}

/// Stores one byte in place of what is there, to stay or not.
fn put(memory: &Memory, id: u32, byte: u8, pin: bool) {
    let seen = memory.get(&[key(id)]).remove(0);
    let made = memory.swap(&[change(id, seen, Some(Bytes::from([byte])), pin)]);
    assert_eq!(made, Swapped::Made);
}

fn get(memory: &Memory, id: u32) -> Option<u8> {
    memory.get(&[key(id)]).remove(0).map(|bytes| bytes[0])
}

fn count(memory: &Memory) -> u64 {
    memory.count(Space::Sessions)
}

#[test]
fn a_full_shelf_takes_new_records_and_lets_the_least_recently_used_go() {
    let memory = memory(10);
    for id in 0..10 {
        put(&memory, id, 1, false);
    }
    memory.tidy();
    for _ in 0..100 {
        assert_eq!(get(&memory, 0), Some(1));
    }
    for id in 10..19 {
        put(&memory, id, 2, false);
    }
    memory.tidy();
    assert_eq!(count(&memory), 10);
    assert_eq!(get(&memory, 0), Some(1));
    assert_eq!((1..10).find_map(|id| get(&memory, id)), None);
    assert!((10..19).all(|id| get(&memory, id) == Some(2)));
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_for_room_or_for_want_of_use_is_counted_and_what_is_taken_away_is_not() {
    let memory = memory(10);
    for id in 0..12 {
        put(&memory, id, 1, false);
    }
    put(&memory, 12, 1, true);
    assert_eq!((memory.dropped(), count(&memory)), (2, 11));
    // Changed, pinned, released and taken away.
    put(&memory, 11, 2, false);
    put(&memory, 12, 2, false);
    let removal = change(12, Some(Bytes::from([2])), None, false);
    assert_eq!(memory.swap(&[removal]), Swapped::Made);
    let dropped = memory.dropped();
    assert_eq!(dropped + count(&memory), 12);
    put(&memory, 20, 1, true);
    advance(DAY * 2).await;
    assert_eq!(get(&memory, 20), None);
    assert!(memory.dropped() > dropped, "the pinned one was idle");
}

#[test]
fn what_must_stay_stays_however_many_others_come() {
    let memory = memory(10);
    put(&memory, 0, 1, false);
    put(&memory, 0, 2, true);
    for id in 1..1_000 {
        put(&memory, id, 3, false);
    }
    memory.tidy();
    assert_eq!((get(&memory, 0), memory.pinned(), count(&memory)), (Some(2), 1, 11));
    put(&memory, 0, 4, false);
    assert_eq!((get(&memory, 0), memory.pinned()), (Some(4), 0));
    for id in 1_000..2_000 {
        put(&memory, id, 3, false);
    }
    memory.tidy();
    assert_eq!((get(&memory, 0), memory.expired()), (None, 0));
}

#[test]
fn a_removed_record_is_gone_from_wherever_it_was() {
    let memory = memory(10);
    for pin in [false, true] {
        put(&memory, 0, 1, pin);
        let removal = change(0, Some(Bytes::from([1])), None, false);
        assert_eq!(memory.swap(&[removal]), Swapped::Made);
        assert_eq!((get(&memory, 0), memory.pinned()), (None, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_must_stay_is_given_up_and_counted_when_nobody_asks_for_so_long() {
    let memory = memory(10);
    put(&memory, 0, 1, true);
    put(&memory, 1, 1, true);
    advance(DAY / 2).await;
    assert_eq!(get(&memory, 0), Some(1));
    advance(DAY / 2).await;
    assert_eq!(get(&memory, 0), Some(1));
    // Any change looks after those that nobody asks for.
    put(&memory, 2, 1, false);
    assert_eq!((memory.pinned(), memory.expired()), (1, 1));
    advance(DAY).await;
    assert_eq!((get(&memory, 0), memory.pinned(), memory.expired()), (None, 0, 2));
}

/// Kind: who only looks keeps nothing alive.
#[tokio::test(start_paused = true)]
async fn peeking_shows_what_is_there_and_is_no_use() {
    let memory = memory(10);
    let peek = |id| memory.peek(&key(id)).map(|bytes| bytes[0]);
    put(&memory, 0, 1, true);
    advance(DAY / 2).await;
    assert_eq!((peek(0), peek(1)), (Some(1), None));
    advance(DAY / 2).await;
    assert_eq!((peek(0), get(&memory, 0), memory.expired()), (None, None, 1));
    // The least recently used one goes, also if it was looked at last.
    for id in 0..10 {
        put(&memory, id, 2, false);
    }
    memory.tidy();
    assert_eq!(peek(0), Some(2));
    put(&memory, 10, 2, false);
    memory.tidy();
    assert_eq!((peek(0), peek(1), peek(10)), (None, Some(2), Some(2)));
}

#[test]
fn no_change_is_lost_while_records_move_between_the_places() {
    let memory = memory(100);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let memory = &memory;
            scope.spawn(move || {
                for round in 0..5_000_u16 {
                    let id = u32::from(round % 3);
                    let pin = (round + u16::from(thread)).is_multiple_of(3);
                    loop {
                        let seen = memory.get(&[key(id)]).remove(0);
                        let count = seen.as_deref().map_or(0, number) + 1;
                        let new = Some(Bytes::from(count.to_be_bytes()));
                        if memory.swap(&[change(id, seen, new, pin)]) == Swapped::Made {
                            break;
                        }
                    }
                    assert!(memory.get(&[key(id)])[0].is_some());
                }
            });
        }
    });
    let counts = memory.get(&[key(0), key(1), key(2)]);
    let counts: Vec<_> = counts.iter().flatten().map(|bytes| number(bytes)).collect();
    assert_eq!(counts, [6_668, 6_668, 6_664]);
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_be_bytes(bytes.try_into().unwrap())
}

#[test]
fn of_several_changes_all_are_made_or_none() {
    let memory = memory(10);
    put(&memory, 0, 1, false);
    let one = || Some(Bytes::from([1]));
    let two = || Some(Bytes::from([2]));
    for stale in [change(1, one(), two(), true), change(0, None, two(), true)] {
        let fine = change(2, None, two(), true);
        assert_eq!(memory.swap(&[fine, stale]), Swapped::Lost);
        assert_eq!([0, 1, 2].map(|id| get(&memory, id)), [Some(1), None, None]);
    }
    let changes = [change(0, one(), two(), false), change(1, None, one(), true)];
    assert_eq!(memory.swap(&changes), Swapped::Made);
    assert_eq!(([0, 1].map(|id| get(&memory, id)), memory.pinned()), ([Some(2), Some(1)], 1));
}

#[test]
fn several_keys_are_read_and_changed_as_of_one_moment() {
    let memory = memory(10);
    let both = |seen: Option<u16>, new: u16| {
        let bytes = |number: u16| Bytes::from(number.to_be_bytes());
        let change = |id| change(id, seen.map(bytes), Some(bytes(new)), false);
        memory.swap(&[change(0), change(1)])
    };
    assert_eq!(both(None, 0), Swapped::Made);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..20_000).for_each(|n| assert_eq!(both(Some(n), n + 1), Swapped::Made)));
        for _ in 0..20_000 {
            let read = memory.get(&[key(1), key(0)]);
            assert_eq!(read[0], read[1]);
        }
    });
}

#[test]
fn the_spaces_have_keys_of_their_own() {
    let memory = memory(10);
    let spaces = [Space::Sessions, Space::Sources, Space::Customers, Space::Active];
    let key = |space| Key { space, bytes: KeyBytes::from(&b"0"[..]) };
    for (byte, space) in (0..).zip(spaces) {
        let new = Some(Bytes::from([byte]));
        let change = Change { key: key(space), seen: None, new, pin: false };
        assert_eq!(memory.swap(&[change]), Swapped::Made);
    }
    let stored = memory.get(&spaces.map(key)).into_iter().flatten().map(|bytes| bytes[0]);
    assert_eq!(stored.collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_list_is_read_page_by_page_without_gaps_or_repetition() {
    let memory = memory(1_000);
    for id in 0..100 {
        put(&memory, id, 1, id % 10 == 0);
    }
    let mut seen: Vec<KeyBytes> = Vec::new();
    loop {
        let page = memory.list(Space::Sessions, &[0], seen.last(), 7);
        assert!(page.len() == 7 || seen.len() + page.len() == 100);
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|(key, _)| key));
    }
    assert!(seen.is_sorted());
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 100);
    assert_eq!(memory.list(Space::Sessions, &[1, 2], None, 7), []);
    assert_eq!(memory.list(Space::Sessions, &[0], None, 0), []);
}
