//! Replays the corpus of the fuzz targets, so that what a fuzzer has found stays found.

use std::{fs, path::Path};

#[path = "../../fuzz/src/targets.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets use it from another crate")]
mod targets;

#[test]
fn the_corpus_of_every_fuzz_target_is_read_without_a_fault() {
    type Target = fn(&[u8]) -> bool;
    let all: [(&str, Target); 8] = [
        ("path", targets::path),
        ("checkouts_body", targets::checkouts_body),
        ("carts_body", targets::carts_body),
        ("xml", targets::xml),
        ("query", targets::query),
        ("configuration", targets::configuration),
        ("stored", targets::stored),
        ("proxy_header", targets::proxy_header),
    ];
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let kept = fs::read_dir(fuzz.join("fuzz_targets")).expect("the targets").count();
    assert_eq!(kept, all.len(), "a target is not replayed");
    for (name, target) in all {
        let mut understood = Vec::new();
        for entry in fs::read_dir(fuzz.join("corpus").join(name)).expect("a corpus") {
            let data = fs::read(entry.expect("a file").path()).expect("a file's content");
            understood.push(target(&data));
        }
        // A corpus that reaches one end only would not notice that the other is gone.
        assert!(
            understood.contains(&true) && understood.contains(&false),
            "{name}: {understood:?}"
        );
    }
}
