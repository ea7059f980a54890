//! Every course that a repair can take, against a cart whose calls may succeed or fail.

use super::*;
use std::collections::BTreeSet;

/// The effect of a step on the cart, and what its answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Refused(RefusalScope),
    NotSent,
    /// The answer is not usable; upstream carried it out, or not.
    Lost {
        done: bool,
    },
    /// Upstream says that it was done, in an answer that cannot be read.
    Unread {
        done: bool,
    },
    /// A look-up that shows nothing.
    Blind,
    Truthful,
    /// The store fails, and the step is not made.
    StoreFails,
}

const CALLS: [Fate; 10] = [
    Fate::Done,
    Fate::Refused(RefusalScope::ForNow),
    Fate::Refused(RefusalScope::Missing),
    Fate::Refused(RefusalScope::ForGood),
    Fate::NotSent,
    Fate::Lost { done: true },
    Fate::Lost { done: false },
    Fate::Unread { done: true },
    Fate::Unread { done: false },
    Fate::StoreFails,
];

/// After the store has failed: without the fates that are dealt with like one of these.
const UNWRITTEN: [Fate; 4] = [
    Fate::Done,
    Fate::Refused(RefusalScope::ForGood),
    Fate::Lost { done: true },
    Fate::Lost { done: false },
];

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cart {
    attached: BTreeSet<&'static str>,
    note: bool,
}

impl Cart {
    fn has_primary(&self) -> bool {
        self.attached.iter().any(|id| id.starts_with("card"))
    }

    fn sight(&self) -> SessionView {
        let attached = self.attached.iter().map(|id| SourceId::from(*id)).collect();
        if self.has_primary() {
            SessionView::Primary(attached)
        } else {
            SessionView::NoPrimary(attached)
        }
    }

    fn change(&mut self, step: &RepairStep, incoming: Option<&'static str>) {
        match step {
            RepairStep::Detach(id) => self.attached.retain(|attached| *attached != id.as_str()),
            RepairStep::Reattach(_) => drop(self.attached.insert("card")),
            RepairStep::Call => self.attached.extend(incoming),
            _ => {}
        }
    }
}

/// One finished course.
struct Course {
    fates: Vec<Fate>,
    steps: Vec<RepairStep>,
    cart: Cart,
    end: RepairEnd,
}

impl Course {
    /// Whether every look showed the cart.
    fn is_sure(&self) -> bool {
        let blind = |step: &RepairStep, fate| {
            fate == Fate::Blind || (*step == RepairStep::Look && fate == Fate::StoreFails)
        };
        !self.made().any(|(step, fate)| blind(step, fate))
    }

    /// Whether the note could not be erased.
    fn keeps_its_note(&self) -> bool {
        self.made().any(|made| made == (&RepairStep::EraseNote, Fate::StoreFails))
    }

    fn made(&self) -> impl Iterator<Item = (&RepairStep, Fate)> {
        self.steps.iter().zip(self.fates.iter().copied())
    }
}

/// Walks every course to its end and hands each to `check`; returns how many there were. Answers
/// that cannot be read are met on courses of their own, with few other faults: all together are too
/// many.
fn walk(
    repair: Repair,
    cart: Cart,
    incoming: Option<&'static str>,
    check: &dyn Fn(&Course),
) -> usize {
    let is_unread = |fate| matches!(fate, Fate::Unread { .. });
    let few = [Fate::Done, Fate::Refused(RefusalScope::ForGood), Fate::Truthful, Fate::Blind];
    let beside_few = |fate| is_unread(fate) || few.contains(&fate);
    walk_with(&beside_few, repair.clone(), cart.clone(), incoming, check)
        + walk_with(&|fate| !is_unread(fate), repair, cart, incoming, check)
}

/// Walks every course on which only these fates are met.
fn walk_with(
    met: &dyn Fn(Fate) -> bool,
    repair: Repair,
    cart: Cart,
    incoming: Option<&'static str>,
    check: &dyn Fn(&Course),
) -> usize {
    let mut open = vec![(repair, cart, Vec::new(), Vec::new())];
    let mut courses = 0;
    while let Some((repair, cart, fates, steps)) = open.pop() {
        assert!(steps.len() < 18, "it never ends: {steps:?}");
        let step = repair.next();
        let fates_here: &[Fate] = match &step {
            RepairStep::End(end) => {
                courses += 1;
                check(&Course { fates, steps, cart, end: end.clone() });
                continue;
            }
            RepairStep::EraseNote => &[Fate::Truthful, Fate::StoreFails],
            // After the store has failed, a look that cannot be made is a blind one, and a call is
            // sent in any case.
            RepairStep::Look if !repair.needs_store() => &[Fate::Truthful, Fate::Blind],
            RepairStep::Look => &[Fate::Truthful, Fate::Blind, Fate::StoreFails],
            _ if !repair.needs_store() => &UNWRITTEN,
            _ => &CALLS,
        };
        for &fate in fates_here.iter().filter(|fate| met(**fate)) {
            let (mut repair, mut cart) = (repair.clone(), cart.clone());
            if matches!(fate, Fate::Done | Fate::Lost { done: true } | Fate::Unread { done: true })
            {
                cart.change(&step, incoming);
            }
            cart.note &= step != RepairStep::EraseNote || fate == Fate::StoreFails;
            repair.on(match (&step, fate) {
                (_, Fate::StoreFails) => RepairEvent::StoreFailed,
                (RepairStep::Look, Fate::Blind) => RepairEvent::Saw(SessionView::Unknown),
                (RepairStep::Look, _) => RepairEvent::Saw(cart.sight()),
                (RepairStep::EraseNote, _) => RepairEvent::Erased,
                (_, Fate::Refused(why)) => RepairEvent::Ended(CallEnd::Refused(why)),
                (_, Fate::NotSent) => RepairEvent::Ended(CallEnd::NotSent),
                (_, Fate::Lost { .. }) => RepairEvent::Ended(CallEnd::Unknown),
                (_, Fate::Unread { .. }) => RepairEvent::Unread,
                _ => RepairEvent::Ended(CallEnd::Done),
            });
            let (mut fates, mut steps) = (fates.clone(), steps.clone());
            fates.push(fate);
            steps.push(step.clone());
            open.push((repair, cart, fates, steps));
        }
    }
    courses
}

fn holding(attached: &[&'static str]) -> Cart {
    Cart { attached: attached.iter().copied().collect(), note: true }
}

fn join() -> Repair {
    Repair::new(&Remedy::Repair { primary: "card".into(), incoming: "credit".into() })
}

fn replace() -> Repair {
    let incoming = Incoming::Source("card 2".into());
    Repair::new(&Remedy::Replace { primary: "card".into(), incoming })
}

fn resequence() -> Repair {
    Repair::new(&Remedy::Resequence { primary: "card".into() })
}

fn apply() -> Repair {
    let incoming = Incoming::Option("option".into());
    Repair::new(&Remedy::Replace { primary: "card".into(), incoming })
}

/// Returns the kinds of repairs, with what the caller's call attaches in each.
fn repairs() -> [(Repair, Option<&'static str>); 4] {
    [
        (join(), Some("credit")),
        (replace(), Some("card 2")),
        (apply(), Some("card 2")),
        (apply(), None),
    ]
}

#[test]
fn no_course_leaves_a_cart_without_a_primary_unsaid() {
    for (repair, incoming) in repairs() {
        let courses = walk(repair, holding(&["card"]), incoming, &|course| match &course.end {
            RepairEnd::Stranded { attached } => {
                assert!(course.cart.note, "nobody will finish it: {:?}", course.steps);
                if let Some(attached) = attached {
                    assert!(!attached.iter().any(|id| id.as_str().starts_with("card")));
                }
            }
            RepairEnd::Answer(_) if course.is_sure() => {
                assert!(course.cart.has_primary() || called_plainly(course), "{:?}", course.steps);
                assert_eq!(course.cart.note, course.keeps_its_note(), "{:?}", course.steps);
            }
            RepairEnd::Answer(_) => assert!(
                course.cart.has_primary() || course.cart.note || called_plainly(course),
                "nobody knows: {:?} {:?}",
                course.steps,
                course.fates
            ),
            RepairEnd::NotBegun => assert_eq!(course.cart, holding(&["card"])),
            end => panic!("{end:?} is the end of a recovery"),
        });
        assert!(courses > 20, "{courses}");
    }
}

/// Another call took the primary off first: the caller's call went up without a repair.
fn called_plainly(course: &Course) -> bool {
    course.steps.contains(&RepairStep::EraseNote) && course.steps.last() == Some(&RepairStep::Call)
}

#[test]
fn the_answer_is_of_a_step_that_has_one() {
    for (repair, incoming) in repairs() {
        walk(repair, holding(&["card"]), incoming, &|course| {
            if let RepairEnd::Answer(step) = course.end {
                assert_ne!(course.steps[step], RepairStep::EraseNote);
                assert_ne!(course.fates[step], Fate::Blind, "{:?}", course.steps);
                assert_ne!(course.fates[step], Fate::StoreFails, "{:?}", course.steps);
            }
        });
    }
}

#[test]
fn a_repair_that_has_begun_ends_with_an_answer_and_the_call_is_sent_once_at_most() {
    for (repair, incoming) in repairs() {
        walk(repair, holding(&["card"]), incoming, &|course| {
            let not_begun = course.fates == [Fate::StoreFails];
            assert_eq!(course.end == RepairEnd::NotBegun, not_begun, "{:?}", course.steps);
            let sent = course.made().filter(|(_, fate)| *fate != Fate::StoreFails);
            let calls = sent.filter(|(step, _)| **step == RepairStep::Call).count();
            assert!(calls <= 1, "{:?} {:?}", course.steps, course.fates);
        });
    }
}

/// The steps that are sent are the same as with a good store, and so is the answer.
#[test]
fn a_store_that_fails_after_the_first_step_changes_nothing_upstream() {
    let faultless = |fate| matches!(fate, Fate::Done | Fate::Truthful | Fate::StoreFails);
    for ((repair, incoming), attached, looks) in [
        (repairs()[0].clone(), &["card", "credit"][..], 0),
        (repairs()[1].clone(), &["card 2"][..], 0),
        (repairs()[2].clone(), &["card 2"][..], 1),
    ] {
        let seen = std::cell::Cell::new(0);
        walk_with(&faultless, repair, holding(&["card"]), incoming, &|course| {
            if course.end == RepairEnd::NotBegun {
                return;
            }
            assert_eq!(course.cart.attached, holding(attached).attached, "{:?}", course.steps);
            let RepairEnd::Answer(answer) = course.end else { panic!("{:?}", course.end) };
            let answers = if incoming == Some("credit") {
                RepairStep::Reattach("card".into())
            } else {
                RepairStep::Call
            };
            assert_eq!((&course.steps[answer], course.fates[answer]), (&answers, Fate::Done));
            seen.set(seen.get() + 1);
        });
        assert!(seen.get() > 3 + looks, "{}", seen.get());
    }
}

#[test]
fn a_refused_credit_leaves_the_cart_as_it_was() {
    walk(join(), holding(&["card"]), Some("credit"), &|course| {
        let is_call = |(step, fate): (&RepairStep, Fate)| {
            *step == RepairStep::Call && fate != Fate::StoreFails
        };
        let call = course.made().position(is_call);
        if let (Some(call), RepairEnd::Answer(answer)) = (call, &course.end)
            && matches!(course.fates[call], Fate::Refused(_) | Fate::NotSent)
            && course.is_sure()
            && !called_plainly(course)
        {
            let note = course.keeps_its_note();
            assert_eq!(course.cart, Cart { note, ..holding(&["card"]) });
            assert_eq!(*answer, call, "the caller gets the refusal of its own call");
        }
    });
}

#[test]
fn without_faults_each_repair_takes_the_shortest_course() {
    use RepairStep::{Call, Detach, EraseNote, Look, Reattach};
    let card = || SourceId::from("card");
    let plain = |fate| matches!(fate, Fate::Done | Fate::Truthful);
    for ((repair, incoming), expected, attached, answer) in repairs()
        .into_iter()
        .zip([
            vec![Detach(card()), Call, Reattach(card()), EraseNote],
            vec![Detach(card()), Call, EraseNote],
            vec![Detach(card()), Call, Look, EraseNote],
            vec![Detach(card()), Call, Look, Reattach(card()), EraseNote],
        ])
        .zip([
            (&["card", "credit"][..], 2),
            (&["card 2"][..], 1),
            (&["card 2"][..], 1),
            (&["card"][..], 3),
        ])
        .map(|((repair, steps), (attached, answer))| (repair, steps, attached, answer))
    {
        let courses = walk_with(&plain, repair, holding(&["card"]), incoming, &|course| {
            assert_eq!(course.steps, expected);
            assert_eq!(course.cart, Cart { note: false, ..holding(attached) });
            assert_eq!(course.end, RepairEnd::Answer(answer));
        });
        assert_eq!(courses, 1);
    }
}

#[test]
fn a_recovery_attaches_the_primary_unless_one_is_attached() {
    for found in [&["card", "credit"][..], &["credit"], &[]] {
        let repair = Repair::recovery(&"card".into(), None);
        walk(repair, holding(found), None, &|course| {
            match course.end {
                RepairEnd::Recovered { again } => {
                    assert_eq!(again, !found.contains(&"card"), "{:?}", course.steps);
                    assert!(course.cart.has_primary(), "{:?}", course.steps);
                    assert_eq!(course.cart.note, course.keeps_its_note(), "{:?}", course.steps);
                }
                RepairEnd::Refused => assert_eq!(course.cart.note, course.keeps_its_note()),
                RepairEnd::Unfinished => assert!(course.cart.note),
                ref end => panic!("{end:?} is the end of a caller's repair"),
            }
            assert!(!course.steps.contains(&RepairStep::Call));
        });
    }
}

#[test]
fn a_recovery_gives_up_only_on_a_refusal_for_good() {
    walk(Repair::recovery(&"card".into(), None), holding(&["credit"]), None, &|course| {
        let passes_by = |fate: &&Fate| matches!(fate, Fate::Truthful | Fate::StoreFails);
        let last = course.fates.iter().rev().find(|fate| !passes_by(fate));
        let for_good =
            matches!(last, Some(Fate::Refused(RefusalScope::ForGood | RefusalScope::Missing)));
        // After an answer that cannot be read, a refusal may say that it is attached already.
        let is_unread = |fate: &Fate| matches!(fate, Fate::Unread { .. });
        let gives_up = course.end == RepairEnd::Refused;
        assert!(for_good || !gives_up, "{:?}", course.fates);
        assert!(gives_up == for_good || course.fates.iter().any(is_unread), "{:?}", course.fates);
    });
}

#[test]
fn an_event_of_another_step_changes_nothing() {
    let mut repair = join();
    repair.on(RepairEvent::Erased);
    assert_eq!(repair.next(), RepairStep::Detach("card".into()));
}

/// Resequencing: the order is sent only once the primary was attached behind the credit for
/// certain, and the primary never stays off unsaid.
#[test]
fn the_order_is_sent_only_behind_a_primary_that_was_attached_again() {
    let courses = walk(resequence(), holding(&["card", "credit"]), None, &|course| {
        let done = |wanted: &dyn Fn(&RepairStep) -> bool| {
            course.made().position(|(step, fate)| {
                wanted(step)
                    && matches!(
                        fate,
                        Fate::Done | Fate::Lost { done: true } | Fate::Unread { done: true }
                    )
            })
        };
        let sent = course
            .made()
            .position(|(step, fate)| *step == RepairStep::Call && fate != Fate::StoreFails);
        let off = done(&|step| *step == RepairStep::Detach("card".into()));
        let on = done(&|step| *step == RepairStep::Reattach("card".into()));
        if let Some(sent) = sent {
            let plainly = !course.cart.has_primary();
            assert!(
                plainly || (off < on && on < Some(sent) && off.is_some()),
                "{:?} {:?}",
                course.steps,
                course.fates
            );
        }
        match &course.end {
            RepairEnd::Stranded { .. } => assert!(course.cart.note && sent.is_none()),
            RepairEnd::NotBegun => assert_eq!(course.cart, holding(&["card", "credit"])),
            RepairEnd::Answer(answer) => {
                assert!(
                    course.cart.has_primary() || course.cart.note || called_plainly(course),
                    "{:?} {:?}",
                    course.steps,
                    course.fates
                );
                assert!(sent.is_none_or(|sent| sent == *answer), "the order has its own answer");
            }
            end => panic!("{end:?}"),
        }
        assert!(course.cart.attached.contains("credit"), "the credit is never touched");
    });
    assert!(courses > 20, "{courses}");
}

#[test]
fn a_call_that_was_made_keeps_its_answer_where_it_cannot_be_mended() {
    let repair = Repair::afterwards(&"card".into());
    let courses = walk(repair, holding(&["card", "credit"]), None, &|course| {
        assert!(!course.steps.contains(&RepairStep::Call), "it was made before");
        match &course.end {
            RepairEnd::Answer(answer) => {
                let on = course.made().any(|(step, fate)| {
                    *step == RepairStep::Reattach("card".into())
                        && matches!(
                            fate,
                            Fate::Done | Fate::Lost { done: true } | Fate::Unread { done: true }
                        )
                });
                assert!(on || (!course.is_sure() && course.cart.note), "{:?}", course.steps);
                let shows = [RepairStep::Reattach("card".into()), RepairStep::Look];
                assert!(shows.contains(&course.steps[*answer]));
            }
            RepairEnd::Kept if course.is_sure() => assert!(course.cart.has_primary()),
            RepairEnd::Kept => {
                assert!(course.cart.has_primary() || course.cart.note, "{:?}", course.steps);
            }
            RepairEnd::Stranded { .. } => assert!(course.cart.note),
            RepairEnd::NotBegun => assert_eq!(course.fates, [Fate::StoreFails]),
            end => panic!("{end:?}"),
        }
    });
    assert!(courses > 20, "{courses}");
}

/// Credit whose attach ended in no known way, and that no look shows, may still come.
#[test]
fn a_primary_never_goes_before_credit_that_may_still_come() {
    let credit = || RepairStep::Detach("credit".into());
    let card = || RepairStep::Reattach("card".into());
    walk(join(), holding(&["card"]), Some("credit"), &|course| {
        let lost = course.made().position(|(step, fate)| {
            let may_come = [Fate::Lost { done: false }, Fate::Unread { done: false }];
            *step == RepairStep::Call && may_come.contains(&fate)
        });
        let Some(lost) = lost.filter(|_| !called_plainly(course)) else { return };
        let after = &course.steps[lost..];
        if let Some(on) = after.iter().position(|step| *step == card()) {
            assert!(after[..on].contains(&credit()), "{:?}", course.steps);
        }
    });
    let recovery = Repair::recovery(&"card".into(), Some("credit".into()));
    walk(recovery, holding(&[]), None, &|course| {
        if let Some(on) = course.steps.iter().position(|step| *step == card()) {
            assert!(course.steps[..on].contains(&credit()), "{:?}", course.steps);
        }
    });
    let seen = Repair::recovery(&"card".into(), Some("credit".into()));
    walk(seen, holding(&["credit"]), None, &|course| {
        assert!(!course.steps.contains(&credit()), "it is there, and stays");
    });
}
