//! A local day, slot by slot: readings, charges, frequencies.

use contracts::Rules;
use contracts::billing::SlotCharge;
use contracts::metering::{DayReadings, FrequencyDay, MeteredDay, SealedBy};
use primitives::calendar::LocalDay;
use primitives::identifier::UsagePointId;
use primitives::reading::{Quality, Reading};
use primitives::units::{MilliMicro, OutOfRange, WattHours};
use schemars::JsonSchema;
use serde::Serialize;

use super::Period;

/// The seal of a day.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SealEntry {
    /// The sealing transaction.
    pub transaction_id: String,
    /// The Merkle root over the day's leaves.
    pub day_root: String,
    /// `meter`, `gateway`, `estimate`, on a private ledger `private_meter` or `substitute`, or of
    /// frequencies `grid_operator`.
    pub by: &'static str,
}

/// A correction in force.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CorrectionEntry {
    /// Slot of the local day, from 0.
    pub slot: u16,
    /// The correcting transaction.
    pub transaction_id: String,
}

/// The readings of a usage point and local day.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadingsDay {
    /// The usage point.
    pub usage_point: String,
    /// The local day in the grid's zone.
    pub day: String,
    /// Counts seals and corrections.
    pub revision: u32,
    /// The seal in force.
    pub seal: Option<SealEntry>,
    /// Corrections after the seal.
    pub corrections: Vec<CorrectionEntry>,
    /// Is the day part of an issued bill?
    pub billed: bool,
    /// The values were erased; what they committed to stays.
    #[serde(skip_serializing_if = "super::is_false")]
    pub erased: bool,
    /// The values of this private ledger are not on this node; those of the household and of who bills it
    /// hold them.
    #[serde(skip_serializing_if = "super::is_false")]
    pub not_held: bool,
    /// The sum of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<EnergyEntry>,
    /// One for each slot of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Vec<ReadingSlot>>,
    /// The values are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// Energy both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EnergyEntry {
    /// Drawn.
    pub import_wh: String,
    /// Injected.
    pub export_wh: String,
}

/// The reading of a slot.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadingSlot {
    /// The period.
    #[serde(flatten)]
    pub period: Period,
    /// The reading in force; `null` where nothing was reported.
    pub reading: Option<ReadingEntry>,
}

/// A reading.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadingEntry {
    /// Drawn.
    pub import_wh: String,
    /// Injected.
    pub export_wh: String,
    /// `actual`, `estimated`, `substituted` or `final`.
    pub quality: &'static str,
}

impl From<Reading> for ReadingEntry {
    fn from(reading: Reading) -> Self {
        Self {
            import_wh: reading.import_wh.get().to_string(),
            export_wh: reading.export_wh.get().to_string(),
            quality: match reading.quality {
                Quality::Actual => "actual",
                Quality::Estimated => "estimated",
                Quality::Substituted => "substituted",
                Quality::Final => "final",
            },
        }
    }
}

impl ReadingsDay {
    /// What everybody may see of a day.
    #[must_use]
    pub fn withheld(usage_point: UsagePointId, day: LocalDay, metered: &MeteredDay) -> Self {
        let corrections = metered.corrections.iter().map(|correction| CorrectionEntry {
            slot: correction.slot,
            transaction_id: correction.transaction.to_string(),
        });
        Self {
            usage_point: usage_point.to_string(),
            day: day.to_string(),
            revision: metered.revision,
            seal: metered.seal.map(|seal| SealEntry {
                transaction_id: seal.transaction.to_string(),
                day_root: seal.day_root.to_string(),
                by: match seal.by {
                    SealedBy::Meter => "meter",
                    SealedBy::Gateway { .. } => "gateway",
                    SealedBy::Estimate { .. } => "estimate",
                    SealedBy::PrivateMeter => "private_meter",
                    SealedBy::Substitute { .. } => "substitute",
                },
            }),
            corrections: corrections.collect(),
            billed: metered.billed.is_some(),
            erased: false,
            not_held: false,
            total: None,
            slots: None,
            withheld: true,
        }
    }

    /// The same with the values.
    ///
    /// # Errors
    /// [`OutOfRange`] when the sum of the day overflows.
    pub fn with(
        mut self,
        readings: &DayReadings,
        (rules, day): (&Rules, LocalDay),
    ) -> Result<Self, OutOfRange> {
        let periods = rules.calendar().periods_of(day);
        let slots = periods.iter().zip(&readings.slots).map(|(period, reading)| ReadingSlot {
            period: Period::new(rules.calendar(), period),
            reading: reading.map(ReadingEntry::from),
        });
        self.slots = Some(slots.collect());
        self.total = Some(total(&readings.slots)?);
        self.withheld = false;
        Ok(self)
    }
}

/// The sum of the reported slots.
fn total(slots: &[Option<Reading>]) -> Result<EnergyEntry, OutOfRange> {
    let sum = |value: fn(&Reading) -> WattHours| WattHours::sum(slots.iter().flatten().map(value));
    Ok(EnergyEntry {
        import_wh: sum(|reading| reading.import_wh)?.get().to_string(),
        export_wh: sum(|reading| reading.export_wh)?.get().to_string(),
    })
}

/// The charges of a usage point and local day: shown, never posted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChargesDay {
    /// The usage point.
    pub usage_point: String,
    /// The local day in the grid's zone.
    pub day: String,
    /// The values were erased; what depends on them can no longer be computed.
    #[serde(skip_serializing_if = "super::is_false")]
    pub erased: bool,
    /// The sum of the slots that have an amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<AmountEntry>,
    /// One for each slot of the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Vec<ChargeSlot>>,
    /// The values are not for this reader.
    #[serde(skip_serializing_if = "super::is_false")]
    pub withheld: bool,
}

/// An amount, exact and rounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AmountEntry {
    /// Exact, in 10⁻⁹ of the currency.
    pub amount_milli_micro: String,
    /// The same, rounded to the currency's minor unit, half away from zero.
    pub amount_micro: String,
}

impl AmountEntry {
    /// An exact amount with its rounding.
    ///
    /// # Errors
    /// [`OutOfRange`] when the rounded amount does not fit.
    pub fn new(amount: MilliMicro, rules: &Rules) -> Result<Self, OutOfRange> {
        let rounded = amount.round_to(rules.minor_unit_micro())?;
        Ok(Self {
            amount_milli_micro: amount.get().to_string(),
            amount_micro: rounded.get().to_string(),
        })
    }
}

/// What a slot costs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChargeSlot {
    /// The period.
    #[serde(flatten)]
    pub period: Period,
    /// The reading in force.
    pub reading: Option<ReadingEntry>,
    /// The frequency in force.
    pub frequency_millihertz: Option<u32>,
    /// The tariff.
    pub tariff: Option<String>,
    /// Its version.
    pub tariff_version: Option<u16>,
    /// Price of energy drawn.
    pub import_price_micro_per_kwh: Option<String>,
    /// Price of energy injected.
    pub export_price_micro_per_kwh: Option<String>,
    /// Import charge less export credit, as far as reading and prices are there.
    pub amount: Option<AmountEntry>,
    /// Was the slot charged, and the charge not withdrawn?
    pub charged: bool,
}

impl ChargeSlot {
    fn new(charge: &SlotCharge, rules: &Rules) -> Result<Self, OutOfRange> {
        Ok(Self {
            period: Period::new(rules.calendar(), charge.period),
            reading: charge.reading.map(ReadingEntry::from),
            frequency_millihertz: charge.frequency.map(|frequency| frequency.get()),
            tariff: charge.tariff.map(|(tariff, _)| tariff.to_string()),
            tariff_version: charge.tariff.map(|(_, version)| version),
            import_price_micro_per_kwh: charge.prices.map(|it| it.import.get().to_string()),
            export_price_micro_per_kwh: charge.prices.map(|it| it.export.get().to_string()),
            amount: charge.amount.map(|amount| AmountEntry::new(amount, rules)).transpose()?,
            charged: charge.charged,
        })
    }
}

impl ChargesDay {
    /// What everybody may see of a day.
    #[must_use]
    pub fn withheld(usage_point: UsagePointId, day: LocalDay) -> Self {
        Self {
            usage_point: usage_point.to_string(),
            day: day.to_string(),
            erased: false,
            total: None,
            slots: None,
            withheld: true,
        }
    }

    /// The same with the values.
    ///
    /// # Errors
    /// [`OutOfRange`] when an amount does not fit.
    pub fn with(mut self, charges: &[SlotCharge], rules: &Rules) -> Result<Self, OutOfRange> {
        let slots: Result<Vec<_>, _> =
            charges.iter().map(|charge| ChargeSlot::new(charge, rules)).collect();
        let total = MilliMicro::sum(charges.iter().filter_map(|charge| charge.amount))?;
        self.total = Some(AmountEntry::new(total, rules)?);
        self.slots = Some(slots?);
        self.withheld = false;
        Ok(self)
    }
}

/// The frequencies of a local day: public.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FrequenciesDay {
    /// The local day in the grid's zone.
    pub day: String,
    /// Counts corrections, deletions and the seal.
    pub revision: u32,
    /// The seal.
    pub seal: Option<SealEntry>,
    /// Corrections after the seal.
    pub corrections: Vec<CorrectionEntry>,
    /// One for each slot of the day.
    pub slots: Vec<FrequencySlot>,
}

/// The frequency of a slot.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FrequencySlot {
    /// The period.
    #[serde(flatten)]
    pub period: Period,
    /// The average; `null` where none is published or it was deleted.
    pub frequency_millihertz: Option<u32>,
}

impl FrequenciesDay {
    /// The frequencies in force.
    #[must_use]
    pub fn new(day: LocalDay, frequencies: &FrequencyDay, rules: &Rules) -> Self {
        let periods = rules.calendar().periods_of(day);
        let slots = (0_u16..).zip(periods.iter()).map(|(slot, period)| FrequencySlot {
            period: Period::new(rules.calendar(), period),
            frequency_millihertz: frequencies.at(slot).map(|value| value.get()),
        });
        let corrections = frequencies.corrections.iter().map(|correction| CorrectionEntry {
            slot: correction.slot,
            transaction_id: correction.transaction.to_string(),
        });
        Self {
            day: day.to_string(),
            revision: frequencies.revision,
            seal: frequencies.seal.map(|seal| SealEntry {
                transaction_id: seal.transaction.to_string(),
                day_root: seal.day_root.to_string(),
                by: "grid_operator",
            }),
            corrections: corrections.collect(),
            slots: slots.collect(),
        }
    }
}
