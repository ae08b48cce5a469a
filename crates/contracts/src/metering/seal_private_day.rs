//! A meter seals its day on a private ledger: everybody sees that, nobody what.

use borsh::{BorshDeserialize, BorshSerialize};
use primitives::calendar::LocalDay;
use primitives::codec;
use primitives::hash::Hash;
use primitives::identifier::UsagePointId;

use super::seal_day::{check_day, check_registers, put_seal};
use super::{PrivateDayPayload, SealedBy, require_day_ended, require_reporter};
use crate::event::Event;
use crate::execute::Context;
use crate::genesis::{Privacy, Rules};
use crate::rejection::{Malformed, Rejection};
use crate::state::State;
use crate::transaction::{Transaction, Who, no_payload};

/// Seals the readings of one usage point and local day on a private ledger.
///
/// The values ([`PrivateDayPayload`]) are handed to a node of the household or of its biller, beside the
/// transaction; it compares them with the two commitments before it keeps them. What the ledger cannot
/// see it does not judge: the connection's limit and the registers' way from day to day are the matter
/// of those who hold the values. The meter's seal takes the place of a substitute that came before it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SealPrivateDay {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// The local day in the grid's zone.
    pub day: LocalDay,
    /// Counts this meter's seals, rising from 1.
    pub sequence: u32,
    /// The Merkle root over the day's reading leaves.
    pub day_root: Hash,
    /// The salted hash of the registers ([`registers_commitment`](super::registers_commitment)).
    pub registers: Hash,
}

impl Transaction for SealPrivateDay {
    const SENDERS: &'static [Who] = &[Who::Meter];
    const EXPIRES: bool = false;
    const PRIVACY: Option<Privacy> = Some(Privacy::Private);

    fn check(&self, payload: &[u8], _rules: &Rules) -> Result<(), Malformed> {
        no_payload(payload)?;
        if self.sequence == 0 {
            return Err(Malformed::Field("seal sequences count from 1"));
        }
        Ok(())
    }

    fn execute(&self, context: &Context<'_>, state: &mut dyn State) -> Result<(), Rejection> {
        let usage_point = state.usage_point(self.usage_point)?;
        require_reporter(context, self.usage_point, &usage_point)?;
        require_day_ended(context, self.day)?;
        let periods = context.rules.calendar().periods_of(self.day);
        let mut meter =
            state.installed_meter(self.usage_point).expect("the sender is an installed meter");
        meter.require_measured(periods.iter().next_back().unwrap_or(periods.first))?;
        let mut metered_day = state.metered_day(self.usage_point, self.day);
        if let Some(sealed) = metered_day.root_of_meter() {
            if sealed != self.day_root {
                return Err(Rejection::DayAlreadySealed);
            }
            state.emit(Event::AlreadyRecorded {});
            return Ok(());
        }
        if self.sequence <= meter.seal_sequence {
            return Err(Rejection::SealSequenceUsed {
                sequence: u64::from(self.sequence),
                last: u64::from(meter.seal_sequence),
            });
        }
        meter.seal_sequence = self.sequence;
        state.put_installed_meter(self.usage_point, &meter);
        put_seal(
            context,
            state,
            (self.usage_point, self.day),
            &mut metered_day,
            self.day_root,
            SealedBy::PrivateMeter,
        );
        Ok(())
    }

    fn private_day(&self) -> Option<(UsagePointId, LocalDay)> {
        Some((self.usage_point, self.day))
    }

    fn check_private(&self, payload: &[u8], rules: &Rules) -> Result<(), Malformed> {
        let payload: PrivateDayPayload = codec::decode(payload)?;
        check_day(rules, self.usage_point, self.day, &self.day_root, &payload.values)?;
        if payload.registers(self.usage_point, self.day) != self.registers {
            return Err(Malformed::Payload("the registers do not hash to their commitment"));
        }
        check_registers((&payload.first, &payload.last), &payload.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::kit::*;
    use crate::transaction::Body;

    fn edited(draft: &Draft, edit: impl FnOnce(&mut SealPrivateDay)) -> Draft {
        let mut draft = draft.clone();
        let Body::SealPrivateDay(body) = &mut draft.body else { unreachable!("a private seal") };
        edit(body);
        draft.private.clear();
        draft
    }

    #[test]
    fn rules_in_order_of_precedence() {
        let mut network = Network::private();
        let (day, running) = (network.day(0), network.day(1));
        network.end_day(day);
        let (home, other) = (network.homes[0].clone(), network.homes[1].clone());
        let values = network.even_day(day, reading(5, 1));
        let good = network.seal_privately(&home, day, &values);
        let not_ended =
            network.seal_privately(&home, running, &network.even_day(running, reading(5, 1)));
        let mut shown = good.clone();
        shown.payload = codec::encode(&network.private_values(&home, day, &values));
        let nowhere = UsagePointId::default();
        let unknown = edited(&not_ended, |seal| seal.usage_point = nowhere);
        network.check(&[
            // Form: in a block it shows nothing, and an open seal would show everything.
            (shown, WRONG_PAYLOAD),
            (network.seal(&home, day, &values), WRONG_LEDGER),
            (edited(&good, |seal| seal.sequence = 0), WRONG_FIELD),
            (unknown.sent_by(&other.meter), breaks(Rejection::UsagePointUnknown)),
            (not_ended.sent_by(&other.meter), breaks(Rejection::SenderIsNotTheMeter)),
            (not_ended, breaks(Rejection::DayNotEnded)),
            (good.clone(), emits(&["DaySealed"])),
            (good.clone(), KNOWN),
            (edited(&good, |seal| seal.day_root = Hash::ZERO), breaks(Rejection::DayAlreadySealed)),
        ]);
        let next = network.day(1);
        network.end_day(next);
        let later = network.seal_privately(&home, next, &network.even_day(next, reading(5, 1)));
        network.check(&[
            (
                edited(&later, |seal| seal.sequence = 1),
                breaks(Rejection::SealSequenceUsed { sequence: 1, last: 1 }),
            ),
            (later, emits(&["DaySealed"])),
        ]);
        let sealed = network.state().metered_day(home.point, day);
        assert_eq!(sealed.seal.map(|seal| seal.by), Some(SealedBy::PrivateMeter));
    }

    #[test]
    fn a_new_meter_measures_from_behind_what_the_former_sealed_and_not_from_before() {
        let mut network = Network::private();
        let (day, home) = (network.day(0), network.homes[0].clone());
        network.measure_privately(day, std::slice::from_ref(&home), reading(5, 1));
        let fresh = key("a new meter");
        let install = |network: &Network, from_period, first| {
            let body = network.installation(home.point, &fresh);
            let body = crate::registry::InstallMeter { from_period, first, ..body };
            by(&[&network.north.key, &fresh], body)
        };
        let (inside, behind) = (network.period(day, 40), network.period(network.day(1), 0));
        let shown = super::super::Registers {
            import: primitives::units::WattHours::new(1),
            ..super::super::Registers::ZERO
        };
        let none = super::super::Registers::ZERO;
        let sealed_until = u64::from(behind.get());
        network.check(&[
            (install(&network, behind, shown), WRONG_FIELD),
            (
                install(&network, inside, none),
                breaks(Rejection::SwapBeforeSealedDay {
                    period: u64::from(inside.get()),
                    sealed_until,
                }),
            ),
            (install(&network, behind, none), emits(&["KeyRevoked", "MeterInstalled"])),
        ]);
        let swapped = Home { meter: fresh, ..home };
        let early = network.seal_privately(&swapped, day, &network.even_day(day, reading(6, 0)));
        let first = network.period(day, 95);
        network.check(&[(
            early,
            breaks(Rejection::BeforeInstallation {
                period: u64::from(first.get()),
                from_period: sealed_until,
            }),
        )]);
    }

    #[test]
    fn the_values_fit_both_commitments_or_are_refused() {
        let network = Network::private();
        let (day, home) = (network.day(0), network.homes[0].clone());
        let values = network.even_day(day, reading(5, 1));
        let payload = network.private_values(&home, day, &values);
        let body = network.seal_privately(&home, day, &values).body;
        let check = |payload: &PrivateDayPayload| {
            body.check_private(&codec::encode(payload), &network.rules)
        };
        assert_eq!(check(&payload), Ok(()));
        let other = |edit: &dyn Fn(&mut PrivateDayPayload)| {
            let mut payload = payload.clone();
            edit(&mut payload);
            check(&payload)
        };
        let wrong: [&dyn Fn(&mut PrivateDayPayload); 3] = [
            &|it| it.values = network.even_day(day, reading(5, 2)),
            &|it| it.values.seed = primitives::reading::DaySeed::new([8; 32]),
            &|it| it.last.import = primitives::units::WattHours::new(1),
        ];
        for edit in wrong {
            assert!(matches!(other(edit), Err(Malformed::Payload(_))));
        }
        assert!(matches!(body.check_private(&[1], &network.rules), Err(Malformed::Codec(_))));
        // What has no private payload takes none.
        let pay = network.pay(&home, 1).body;
        assert!(matches!(pay.check_private(&[], &network.rules), Err(Malformed::Payload(_))));
        assert_eq!((body.private_day(), pay.private_day()), (Some((home.point, day)), None));
    }
}
