//! When nothing comes in.

use expect_test::expect;

use super::shop::check;

const ERRORS: &str = "
defaults: { watch: { time: 10m, max: 1h } }
rollback_triggers: { error_rate: { threshold: 1%, window: 5m, action: immediate_rollback } }";

#[test]
fn a_release_that_crashes_at_start_is_silent_while_others_send() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20
         100s deploy checkout 2.4.1
         400s serve checkout 2.4.1 rps=20
         500s end",
        expect![[r#"
            100s release checkout 2.4.1 from 2.4.0: watching, fully out, watched for 10m
            220s finding checkout 2.4.1: ReleaseSilent: nothing was ever seen of 2.4.1 for 2m, while others still send; telemetry names 2.4.0 (0.0 % errors, 0 of 3900 requests in 5m)
            420s finding checkout 2.4.1: no more ReleaseSilent: the release is seen again"#]],
    );
}

#[test]
fn telemetry_that_stops_altogether_is_the_senders_silence_and_proves_nothing() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.1 rps=20
         100s deploy checkout 2.4.1
         500s stop checkout 2.4.1
         900s end",
        expect![[r#"
              100s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
              615s finding checkout 2.4.1: SenderSilent: no telemetry from anywhere for 2m: nothing is judged
              700s release checkout 2.4.1 from ?: unproven, watched for 10m: its telemetry was silent at the end
              700s finding checkout 2.4.1: no more SenderSilent: the release is not under watch any more"#]],
    );
}

#[test]
fn a_service_that_stops_while_another_sends_is_silent_itself() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.1 rps=20
         0s   serve cart 1.0 rps=20
         100s deploy checkout 2.4.1
         200s stop checkout 2.4.1
         500s serve checkout 2.4.1
         600s end",
        expect![[r#"
              100s release checkout 2.4.1 from ?: watching, fully out, watched for 10m
              315s finding checkout 2.4.1: ReleaseSilent: nothing of 2.4.1 for 2m, while others still send
              510s finding checkout 2.4.1: no more ReleaseSilent: the release is seen again"#]],
    );
}

#[test]
fn a_canary_that_is_there_and_gets_no_traffic_is_found() {
    check(
        ERRORS,
        "0s   serve checkout 2.4.0 rps=20
         0s   serve checkout 2.4.1 rps=0
         100s deploy checkout 2.4.1 traffic=5
         400s serve checkout 2.4.1 rps=1
         600s end",
        expect![[r#"
              100s release checkout 2.4.1 from 2.4.0: progressing, out at 5 % of traffic
              225s finding checkout 2.4.1: ReleaseSilent: 2.4.1 is there, but has had no requests for 2m while others have
              405s finding checkout 2.4.1: no more ReleaseSilent: the release is seen again"#]],
    );
}
