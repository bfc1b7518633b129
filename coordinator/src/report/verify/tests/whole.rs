use super::{after, as_version, failed};
use crate::report::fixtures;
use crate::report::record::BlockRecord;
use crate::report::verify::verify;

#[test]
fn a_digest_that_is_not_that_of_its_histograms_is_found_and_so_is_one_that_is_missing() {
    let honest = fixtures::record();
    fn other(digest: &mut Option<String>) {
        *digest = digest.as_ref().map(|digest| digest.replace(['0', '1', '2'], "3"));
    }
    type Change = fn(&mut BlockRecord);
    let changes: [(&str, Change); 5] = [
        ("worker 1 should have", |block| other(&mut block.workers[1].histograms_sha256)),
        ("the block should have", |block| other(&mut block.histograms_sha256)),
        ("the seconds should have", |block| other(&mut block.seconds_sha256)),
        ("worker 0 has none, as only older", |block| block.workers[0].histograms_sha256 = None),
        (
            "worker 0 should have",
            // The values are the same, and only a count beside them is not.
            |block| block.workers[0].latencies.send_lag.below_range = 1,
        ),
    ];
    for (named, change) in changes {
        let mut record = honest.clone();
        change(&mut record.blocks[0]);
        let said = failed(&verify(&record)).join("\n");
        assert!(said.contains("the digests are those of the histograms") && said.contains(named), "{said}");
    }
    let without = |version| failed(&verify(&as_version(version, &honest))).join("\n");
    assert_eq!(without(2).matches("the digests are").count(), 0);
    assert_eq!(without(3).matches("has none").count(), 2);
}

#[test]
fn blocks_and_workers_are_counted_through() {
    assert!(after(|record| record.blocks[1].number = 7).contains("block 2 has the number 7"));
    assert!(
        after(|record| record.blocks[1].repeat = 2).contains("block 2 is said to be number 2 of its likes")
    );
    assert!(
        after(|record| record.blocks[0].workers[1].number = 0)
            .contains("worker 1 of block 1 has the number 0")
    );
    assert!(
        after(|record| record.run.workers[1].number = 5).contains("worker 1 of the fleet has the number 5")
    );
    assert!(
        after(|record| record.run.planned = vec!["other".into()])
            .contains("block 1 is simple_chat, and other was planned")
    );
    assert!(
        after(|record| record.blocks[0].workers[0].intervals = 2)
            .contains("were reported 2 times, and the workers sent 3")
    );
}
