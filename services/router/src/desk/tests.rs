//! A log goes in, and what is told comes out; then somebody else reads the same log.

use expect_test::expect;
use model::{
    Decision, DecisionRecord, DeliveryResult, NoticeKind, NoticeStatus, Origin, Position, Proposal, Send,
};

use super::Desk;
use crate::{
    Config,
    router::tests::world::{config, delivery, notice, plan, second, show},
};

/// A log, and a desk that has read all of it.
struct World {
    log: Vec<DecisionRecord>,
    desk: Desk,
}

impl World {
    fn new() -> Self {
        let mut world = Self { log: Vec::new(), desk: Desk::new(routing()) };
        world.append(0, Origin::Claim { instance: "first".to_owned() }, Vec::new());
        world
    }

    fn append(&mut self, at: i64, origin: Origin, decisions: Vec<Decision>) -> Vec<Send> {
        let at = second(at);
        self.log.push(DecisionRecord { at, origin, decisions, ..DecisionRecord::default() });
        read(&mut self.desk, self.log.len() - 1, &self.log)
    }

    /// The arbiter of `epoch` has something to tell.
    fn notify(&mut self, at: i64, epoch: u64, status: NoticeStatus, name: &str) -> Vec<Send> {
        let answers = Position(self.log.len() as u64 - 1);
        let told = notice(NoticeKind::Alert, status, &[name], second(at));
        self.append(at, Origin::Arbiter { epoch, answers }, vec![Decision::Notice(Box::new(told))])
    }

    fn report(&mut self, at: i64, send: &Send, result: DeliveryResult) -> Vec<Send> {
        let position = Position(self.log.len() as u64);
        let delivery = Decision::Proposal(Proposal::Delivery(Box::new(delivery(send, result, None))));
        let record = DecisionRecord { at: second(at), position, ..DecisionRecord::default() };
        self.log.push(DecisionRecord { decisions: vec![delivery], ..record });
        read(&mut self.desk, self.log.len() - 1, &self.log)
    }

    fn bring_clock(&mut self, at: i64) -> Vec<Send> {
        let clock = Desk::clock(second(at));
        self.append(at, clock.origin, clock.decisions)
    }

    /// The process dies; another one reads the same log.
    fn die(&mut self) -> Vec<Send> {
        self.desk = Desk::new(routing());
        (0..self.log.len()).for_each(|number| drop(read(&mut self.desk, number, &self.log)));
        self.desk.unfinished()
    }
}

fn read(desk: &mut Desk, number: usize, log: &[DecisionRecord]) -> Vec<Send> {
    desk.take(Position(number as u64), &log[number]);
    std::iter::from_fn(|| desk.poll_send()).collect()
}

fn routing() -> Config {
    let mut config = config();
    config.receivers.get_mut("sre").unwrap().fallback = Some("pager".into());
    config.receivers.insert("pager".into(), plan(&["webhook"]));
    config
}

fn shown(sends: &[Send]) -> String {
    sends.iter().map(|send| format!("{}\n", show(send))).collect()
}

#[test]
fn time_is_a_record_and_without_one_nothing_is_told() {
    let mut world = World::new();
    assert_eq!(world.notify(0, 0, NoticeStatus::Firing, "A"), []);
    assert_eq!(world.desk.poll_timeout(), Some(second(30)));
    let told = world.bring_clock(30);
    expect![[r#"
        sre/webhook/0 first_notification firing: +A*
    "#]]
    .assert_eq(&shown(&told));
}

/// The log is read late: by its stamp the end comes before the group's tick, and on the log after it.
#[test]
fn who_takes_over_knows_of_a_message_that_was_not_reported() {
    let mut world = World::new();
    world.notify(0, 0, NoticeStatus::Firing, "A");
    let told = world.bring_clock(45);
    world.notify(29, 0, NoticeStatus::Resolved, "A");
    let again = world.die();
    assert_eq!(again, told, "it may have arrived: it goes out again, under its id");
    world.report(50, &again[0], DeliveryResult::Delivered);
    expect![[r#"
        sre/webhook/0 all_alerts_resolved resolved: -A*
    "#]]
    .assert_eq(&shown(&world.bring_clock(400)));
}

#[test]
fn who_takes_over_knows_of_what_a_fallback_was_handed() {
    let mut world = World::new();
    world.notify(0, 0, NoticeStatus::Firing, "A");
    let told = world.bring_clock(45);
    let handed_on = world.report(46, &told[0], DeliveryResult::Failed);
    expect![[r#"
        pager/webhook/0 first_notification firing: +A*
    "#]]
    .assert_eq(&shown(&handed_on));
    let again = world.die();
    assert_eq!(again, handed_on);
    world.report(50, &again[0], DeliveryResult::Delivered);
    world.notify(60, 0, NoticeStatus::Resolved, "A");
    expect![[r#"
        pager/webhook/0 all_alerts_resolved resolved: -A*
    "#]]
    .assert_eq(&shown(&world.bring_clock(400)));
}

#[test]
fn what_a_superseded_arbiter_says_is_not_told() {
    let mut world = World::new();
    world.append(5, Origin::Claim { instance: "second".to_owned() }, Vec::new());
    world.notify(6, 0, NoticeStatus::Firing, "A");
    world.notify(6, 1, NoticeStatus::Firing, "B");
    expect![[r#"
        sre/webhook/0 first_notification firing: +B*
    "#]]
    .assert_eq(&shown(&world.bring_clock(40)));
}

#[test]
fn a_reload_happens_at_the_moment_of_the_last_record() {
    let mut world = World::new();
    world.notify(0, 0, NoticeStatus::Firing, "A");
    world.desk.reload(routing());
    assert_eq!(world.desk.poll_send(), None);
    assert_eq!(world.desk.poll_timeout(), Some(second(30)));
}
