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
    /// A look-up that shows nothing.
    Blind,
    Truthful,
}

const CALLS: [Fate; 7] = [
    Fate::Done,
    Fate::Refused(RefusalScope::ForNow),
    Fate::Refused(RefusalScope::Missing),
    Fate::Refused(RefusalScope::ForGood),
    Fate::NotSent,
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
    fn is_sure(&self) -> bool {
        !self.fates.contains(&Fate::Blind)
    }
}

/// Walks every course to its end and hands each to `check`; returns how many there were.
fn walk(
    repair: Repair,
    cart: Cart,
    incoming: Option<&'static str>,
    check: &dyn Fn(&Course),
) -> usize {
    let mut open = vec![(repair, cart, Vec::new(), Vec::new())];
    let mut courses = 0;
    while let Some((repair, cart, fates, steps)) = open.pop() {
        assert!(steps.len() < 16, "it never ends: {steps:?}");
        let step = repair.next();
        let fates_here: &[Fate] = match &step {
            RepairStep::End(end) => {
                courses += 1;
                check(&Course { fates, steps, cart, end: end.clone() });
                continue;
            }
            RepairStep::Look => &[Fate::Truthful, Fate::Blind],
            RepairStep::EraseNote => &[Fate::Truthful],
            _ => &CALLS,
        };
        for &fate in fates_here {
            let (mut repair, mut cart) = (repair.clone(), cart.clone());
            if matches!(fate, Fate::Done | Fate::Lost { done: true }) {
                cart.change(&step, incoming);
            }
            cart.note &= step != RepairStep::EraseNote;
            repair.on(match (&step, fate) {
                (RepairStep::Look, Fate::Blind) => RepairEvent::Saw(SessionView::Unknown),
                (RepairStep::Look, _) => RepairEvent::Saw(cart.sight()),
                (RepairStep::EraseNote, _) => RepairEvent::Erased,
                (_, Fate::Refused(why)) => RepairEvent::Ended(CallEnd::Refused(why)),
                (_, Fate::NotSent) => RepairEvent::Ended(CallEnd::NotSent),
                (_, Fate::Lost { .. }) => RepairEvent::Ended(CallEnd::Unknown),
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
                assert!(!course.cart.note, "{:?}", course.steps);
            }
            RepairEnd::Answer(_) => {}
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
            }
        });
    }
}

#[test]
fn a_refused_credit_leaves_the_cart_as_it_was() {
    walk(join(), holding(&["card"]), Some("credit"), &|course| {
        let call = course.steps.iter().position(|step| *step == RepairStep::Call);
        if let (Some(call), RepairEnd::Answer(answer)) = (call, &course.end)
            && matches!(course.fates[call], Fate::Refused(_) | Fate::NotSent)
            && course.is_sure()
            && !called_plainly(course)
        {
            assert_eq!(course.cart, Cart { note: false, ..holding(&["card"]) });
            assert_eq!(*answer, call, "the caller gets the refusal of its own call");
        }
    });
}

#[test]
fn without_faults_each_repair_takes_the_shortest_course() {
    use RepairStep::{Call, Detach, EraseNote, Look, Reattach};
    let card = || SourceId::from("card");
    let plain =
        |course: &Course| course.fates.iter().all(|f| matches!(f, Fate::Done | Fate::Truthful));
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
        walk(repair, holding(&["card"]), incoming, &|course| {
            if plain(course) {
                assert_eq!(course.steps, expected);
                assert_eq!(course.cart, Cart { note: false, ..holding(attached) });
                assert_eq!(course.end, RepairEnd::Answer(answer));
            }
        });
    }
}

#[test]
fn a_recovery_attaches_the_primary_unless_one_is_attached() {
    for found in [&["card", "credit"][..], &["credit"], &[]] {
        let repair = Repair::recovery("card".into());
        walk(repair, holding(found), None, &|course| {
            match course.end {
                RepairEnd::Recovered { again } => {
                    assert_eq!(again, !found.contains(&"card"), "{:?}", course.steps);
                    assert!(course.cart.has_primary() && !course.cart.note, "{:?}", course.steps);
                }
                RepairEnd::Refused => assert!(!course.cart.note),
                RepairEnd::Unfinished => assert!(course.cart.note),
                ref end => panic!("{end:?} is the end of a caller's repair"),
            }
            assert!(!course.steps.contains(&RepairStep::Call));
        });
    }
}

#[test]
fn a_recovery_gives_up_only_on_a_refusal_for_good() {
    walk(Repair::recovery("card".into()), holding(&["credit"]), None, &|course| {
        let last = course.fates.iter().rev().find(|fate| **fate != Fate::Truthful);
        let for_good =
            matches!(last, Some(Fate::Refused(RefusalScope::ForGood | RefusalScope::Missing)));
        assert_eq!(course.end == RepairEnd::Refused, for_good, "{:?}", course.fates);
    });
}

#[test]
fn an_event_of_another_step_changes_nothing() {
    let mut repair = join();
    repair.on(RepairEvent::Erased);
    assert_eq!(repair.next(), RepairStep::Detach("card".into()));
}
