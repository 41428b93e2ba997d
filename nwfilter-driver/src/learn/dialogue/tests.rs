//! Conversations of a guest with servers, honest and not.

use super::*;
use crate::learn::testing::*;

fn up(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn hear(dialogue: &mut Dialogue, way: Way, frame: &[u8], seconds: u64) -> Vec<Step> {
    dialogue.hear(way, &Frame::read(frame).expect("a frame that tells"), up(seconds))
}

fn fresh() -> Dialogue {
    Dialogue::new(GUEST, Vec::new())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn granted(text: &str, server: &str, seconds: Option<u32>) -> Vec<Step> {
    vec![Step::Grant {
        address: address(text),
        server: address(server),
        seconds,
    }]
}

fn why(steps: &[Step]) -> &'static str {
    match steps {
        [Step::Rogue { why, .. } | Step::End { why, .. }] => why,
        other => panic!("{other:?}"),
    }
}

fn ended(steps: &[Step]) -> IpAddr {
    match steps {
        [Step::End { address, .. }] => *address,
        other => panic!("{other:?}"),
    }
}

const SERVER: &str = "10.0.0.1";

#[test]
fn an_answer_counts_if_the_guest_asked_for_it() {
    let mut dialogue = fresh();
    let answer = ack(7, "10.0.0.5", 60).answered(SERVER);
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &answer, 0)),
        "the guest did not ask for it"
    );
    assert_eq!(
        hear(&mut dialogue, Way::FromGuest, &request(7, "10.0.0.5").asked(), 0),
        []
    );
    assert_eq!(
        hear(&mut dialogue, Way::ToGuest, &answer, 1),
        granted("10.0.0.5", SERVER, Some(60))
    );
    // Servers may answer twice; what comes much later answers nothing.
    assert_eq!(
        hear(&mut dialogue, Way::ToGuest, &answer, 119),
        granted("10.0.0.5", SERVER, Some(60))
    );
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &answer, 120)),
        "the guest did not ask for it"
    );
    let for_ever = ack(8, "10.0.0.6", u32::MAX).answered(SERVER);
    hear(&mut dialogue, Way::FromGuest, &request(8, "10.0.0.6").asked(), 130);
    assert_eq!(
        hear(&mut dialogue, Way::ToGuest, &for_ever, 130),
        granted("10.0.0.6", SERVER, None)
    );
}

#[test]
fn the_guest_can_not_answer_itself_nor_ask_for_others() {
    let mut dialogue = fresh();
    hear(&mut dialogue, Way::FromGuest, &request(7, "10.0.0.5").asked(), 0);
    assert_eq!(
        hear(
            &mut dialogue,
            Way::FromGuest,
            &ack(7, "10.0.0.5", 60).answered(SERVER),
            0
        ),
        []
    );
    let mut forged = ack(7, "10.0.0.5", 60).answered(SERVER);
    forged[6..12].copy_from_slice(&GUEST.0);
    assert_eq!(hear(&mut dialogue, Way::FromGuest, &forged, 0), []);
    // Nor does what another sends or gets through this port count.
    assert_eq!(
        hear(&mut dialogue, Way::ToGuest, &request(9, "10.0.0.5").asked(), 0),
        []
    );
    hear(
        &mut dialogue,
        Way::FromGuest,
        &request(10, "10.0.0.5").client(OTHER).asked(),
        0,
    );
    let mut foreign = request(11, "10.0.0.5").asked();
    foreign[6..12].copy_from_slice(&OTHER.0);
    hear(&mut dialogue, Way::FromGuest, &foreign, 0);
    for xid in [9, 10, 11] {
        let answer = ack(xid, "10.0.0.5", 60).answered(SERVER);
        assert_eq!(
            why(&hear(&mut dialogue, Way::ToGuest, &answer, 0)),
            "the guest did not ask for it"
        );
    }
    let others = ack(7, "10.0.0.9", 60).client(OTHER).answered(SERVER);
    assert_eq!(hear(&mut dialogue, Way::ToGuest, &others, 0), []);
}

#[test]
fn only_listed_and_chosen_servers_count() {
    let mut dialogue = Dialogue::new(GUEST, vec![address(SERVER)]);
    hear(&mut dialogue, Way::FromGuest, &request(7, "10.0.0.5").asked(), 0);
    let rogue = ack(7, "10.0.0.66", 60).answered("10.0.0.66");
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &rogue, 0)),
        "it is none of DHCPSERVER"
    );
    let refusal = Dhcp::new(6, 7).answered("10.0.0.66");
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &refusal, 0)),
        "it is none of DHCPSERVER"
    );
    assert!(dialogue.trusts(address(SERVER)) && dialogue.trusts(address("fe80::1")));
    let answer = ack(7, "10.0.0.5", 60).answered(SERVER);
    assert_eq!(hear(&mut dialogue, Way::ToGuest, &answer, 0).len(), 1);

    let mut dialogue = fresh();
    let chosen = request(7, "10.0.0.5").option(54, &[10, 0, 0, 1]).asked();
    hear(&mut dialogue, Way::FromGuest, &chosen, 0);
    let rogue = ack(7, "10.0.0.66", 60)
        .option(54, &[10, 0, 0, 66])
        .answered("10.0.0.66");
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &rogue, 0)),
        "the guest asked another server"
    );
    let answer = ack(7, "10.0.0.5", 60).option(54, &[10, 0, 0, 1]).answered("10.0.0.2");
    assert_eq!(
        hear(&mut dialogue, Way::ToGuest, &answer, 0),
        granted("10.0.0.5", "10.0.0.2", Some(60))
    );
}

#[test]
fn leases_end_by_release_decline_and_refusal() {
    let mut dialogue = fresh();
    let release = Dhcp::new(7, 1).current("10.0.0.5").given("10.0.0.9").asked();
    assert_eq!(
        ended(&hear(&mut dialogue, Way::FromGuest, &release, 0)),
        address("10.0.0.5")
    );
    let decline = Dhcp::new(4, 1).option(50, &[10, 0, 0, 5]).asked();
    assert_eq!(
        ended(&hear(&mut dialogue, Way::FromGuest, &decline, 0)),
        address("10.0.0.5")
    );
    let refusal = Dhcp::new(6, 7).answered(SERVER);
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &refusal, 0)),
        "the guest did not ask for it"
    );
    let renewal = Dhcp::new(3, 7).current("10.0.0.5").asked();
    hear(&mut dialogue, Way::FromGuest, &renewal, 0);
    assert_eq!(
        ended(&hear(&mut dialogue, Way::ToGuest, &refusal, 0)),
        address("10.0.0.5")
    );
    // From the other side neither means anything.
    let decline = Dhcp::new(4, 1).option(50, &[10, 0, 0, 5]);
    assert_eq!(hear(&mut dialogue, Way::ToGuest, &decline.asked(), 0), []);
    assert_eq!(hear(&mut dialogue, Way::ToGuest, &decline.answered(SERVER), 0), []);
}

#[test]
fn other_answers_give_no_address() {
    let mut dialogue = fresh();
    hear(&mut dialogue, Way::FromGuest, &Dhcp::new(1, 6).asked(), 0);
    hear(&mut dialogue, Way::FromGuest, &request(7, "10.0.0.5").asked(), 0);
    let mut answer = |message: Dhcp| hear(&mut dialogue, Way::ToGuest, &message.answered(SERVER), 0);
    let offer = |xid| Dhcp::new(2, xid).given("10.0.0.5").option(51, &60_u32.to_be_bytes());
    assert_eq!(answer(offer(6)), []);
    assert_eq!(answer(offer(7)), []);
    // The answer to a question for settings.
    assert_eq!(answer(Dhcp::new(5, 7)), []);
    assert_eq!(why(&answer(ack(6, "10.0.0.5", 60))), "the guest did not ask for it");
    assert_eq!(why(&answer(ack(7, "10.0.0.5", 0))), "the lease has no duration");
    assert_eq!(
        why(&answer(Dhcp::new(5, 7).given("10.0.0.5"))),
        "the lease has no duration"
    );
    assert_eq!(
        why(&answer(ack(7, "255.255.255.255", 60))),
        "no machine can have this address"
    );
}

#[test]
fn a_rapid_answer_needs_a_rapid_question() {
    let mut dialogue = fresh();
    let discover = Dhcp::new(1, 7).option(80, &[]).asked();
    hear(&mut dialogue, Way::FromGuest, &discover, 0);
    let slow = ack(7, "10.0.0.5", 60);
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &slow.answered(SERVER), 0)),
        "the guest asked for an offer first"
    );
    let rapid = slow.option(80, &[]).answered(SERVER);
    assert_eq!(
        hear(&mut dialogue, Way::ToGuest, &rapid, 0),
        granted("10.0.0.5", SERVER, Some(60))
    );
}

#[test]
fn a_guest_that_asks_too_much_loses_its_oldest_question() {
    let mut dialogue = fresh();
    for xid in 0..9 {
        hear(&mut dialogue, Way::FromGuest, &request(xid, "10.0.0.5").asked(), 0);
    }
    assert_eq!(dialogue.open.len(), 8);
    let mut answer = |xid| {
        hear(
            &mut dialogue,
            Way::ToGuest,
            &ack(xid, "10.0.0.5", 60).answered(SERVER),
            0,
        )
    };
    assert_eq!(why(&answer(0)), "the guest did not ask for it");
    assert_eq!(answer(1).len(), 1);
}

#[test]
fn dhcp6_gives_and_takes_addresses() {
    let mut dialogue = fresh();
    let reply = dhcp6(7, 5, &[("2001:db8::5", 60), ("2001:db8::6", 0)]);
    let answer = dhcp6_answered(GUEST, "fe80::1", &reply);
    assert!(matches!(
        hear(&mut dialogue, Way::ToGuest, &answer, 0)[..],
        [Step::Rogue { .. }]
    ));
    hear(&mut dialogue, Way::FromGuest, &dhcp6_asked(&dhcp6(3, 5, &[])), 0);
    assert_eq!(
        hear(
            &mut dialogue,
            Way::ToGuest,
            &dhcp6_answered(OTHER, "fe80::1", &reply),
            0
        ),
        []
    );
    assert_eq!(hear(&mut dialogue, Way::FromGuest, &answer, 0), []);
    let steps = hear(&mut dialogue, Way::ToGuest, &answer, 0);
    assert_eq!(steps[..1], granted("2001:db8::5", "fe80::1", Some(60)));
    assert_eq!(ended(&steps[1..]), address("2001:db8::6"));
    for kind in [8, 9] {
        let gone = dhcp6_asked(&dhcp6(kind, 6, &[("2001:db8::5", 60)]));
        assert_eq!(
            ended(&hear(&mut dialogue, Way::FromGuest, &gone, 0)),
            address("2001:db8::5")
        );
    }
    // An answer to a release names no addresses, one of IPv4 answers nothing of IPv6.
    assert_eq!(
        hear(
            &mut dialogue,
            Way::ToGuest,
            &dhcp6_answered(GUEST, "fe80::1", &dhcp6(7, 6, &[])),
            0
        ),
        []
    );
    hear(&mut dialogue, Way::FromGuest, &request(9, "10.0.0.5").asked(), 0);
    let wrong = dhcp6_answered(GUEST, "fe80::1", &dhcp6(7, 9, &[("2001:db8::5", 60)]));
    assert_eq!(
        why(&hear(&mut dialogue, Way::ToGuest, &wrong, 0)),
        "the guest did not ask for it"
    );
    let mut strict = Dialogue::new(GUEST, vec![address("fe80::1")]);
    hear(&mut strict, Way::FromGuest, &dhcp6_asked(&dhcp6(3, 5, &[])), 0);
    let rogue = dhcp6_answered(GUEST, "fe80::66", &dhcp6(7, 5, &[("2001:db8::5", 60)]));
    assert_eq!(
        why(&hear(&mut strict, Way::ToGuest, &rogue, 0)),
        "it is none of DHCPSERVER"
    );
}
