//! What the product must do for the billing network "Energy Blocks" (EB) and the data exchange (BX) that
//! it takes the place of, demand by demand, on the real binary. `docs/acceptance.md` says which test
//! holds which demand.

mod metering;
mod money;
mod strangers;

use serde_json::Value;

use crate::world::{Below, World};

/// When the ledger begins.
pub const BEGIN: &str = "2026-06-30T00:00:00+05:30";
/// The first day that meters measure.
pub const FIRST: &str = "2026-07-01";
pub const FLAT: &str = "format = \"gridtally-tariff/1\"\nname = \"Flat\"\n[import]\n\
                        kind = \"flat\"\nprice = \"5\"\n[export]\nkind = \"same-as-import\"\n";

/// A world with one station and one home, Anna's, whose meter measures from the first day on.
pub struct Town {
    pub world: World,
    pub station: String,
    pub home: String,
}

impl Town {
    pub fn found() -> Self {
        Self::on(World::found(BEGIN))
    }

    /// The same on a ledger whose organisations are there.
    pub fn on(world: World) -> Self {
        let station = world.station("town", "distributor-1");
        world.admit("anna", "consumer,producer");
        let below = Below {
            station: &station,
            customer: "anna",
            biller: "distributor-1",
            limit_w: "12000",
            kind: "household",
        };
        let home = world.usage_point("home", &below, &time(FIRST, "00:00"));
        Self { world, station, home }
    }

    /// Publishes a tariff from the first day on and assigns it to the home.
    pub fn tariff(&self, toml: &str) -> String {
        let file = self.world.file("tariff.toml", toml);
        let begin = time(FIRST, "00:00");
        let publish = ["publish-tariff", &file, "--first-period", &begin];
        let tariff = self.world.submit("distributor-1", &publish);
        let assign = ["assign-tariff", "--usage-point", &self.home, "--tariff", &tariff];
        let from = ["--first-period", begin.as_str()];
        self.world.submit("distributor-1", &[&assign[..], &from].concat());
        tariff
    }

    /// Publishes and seals a day's frequencies, all the same.
    pub fn frequency(&self, day: &str, hertz: &str) {
        let mut csv = "date,time,freq_hz\n".to_owned();
        for slot in 0..96 {
            csv.push_str(&format!("{day},{:02}:{:02},{hertz}\n", slot / 4, slot % 4 * 15));
        }
        let file = self.world.file("frequency.csv", &csv);
        self.world.as_party("grid-operator", &["import", "frequency", &file]);
    }

    /// The arguments of a day's seal: the same energy in each slot, from these registers on.
    pub fn day_file(&self, (import, export): (u64, u64)) -> String {
        let row = format!("{import},{export}\n");
        self.world.file("day.csv", &format!("import_wh,export_wh\n{}", row.repeat(96)))
    }

    /// The meter seals a day.
    pub fn seal(&self, day: &str, slot: (u64, u64), first: (u64, u64)) {
        let answer = self.try_seal("meter-home", day, slot, first);
        assert_eq!(answer["status"], "accepted", "{answer}");
    }

    pub fn try_seal(&self, meter: &str, day: &str, slot: (u64, u64), first: (u64, u64)) -> Value {
        let file = self.day_file(slot);
        let (import, export) = (first.0.to_string(), first.1.to_string());
        let seal = ["seal-day", "--usage-point", &self.home, "--day", day, "--file", &file];
        let registers = ["--first-import-wh", &import, "--first-export-wh", &export];
        self.world.send(meter, &[&seal[..], &registers].concat())
    }

    /// The distributor bills the home.
    pub fn bill(&self, period: &str) -> Value {
        let bill = ["issue-bill", "--usage-point", &self.home, "--billing-period", period];
        self.world.submit("distributor-1", &bill);
        self.bills().pop().unwrap()
    }

    /// Anna's bills as she sees them.
    pub fn bills(&self) -> Vec<Value> {
        let list = self.world.as_party("anna", &["show", "bills", &self.home]);
        list["items"].as_array().unwrap().clone()
    }

    pub fn bill_detail(&self, bill: &Value) -> Value {
        self.world.as_party("anna", &["show", "bill", bill["bill"].as_str().unwrap()])
    }

    /// Anna pays.
    pub fn pay(&self, amount: &str) {
        let pay = ["pay-bill", "--usage-point", &self.home, "--amount", amount];
        self.world.submit("anna", &pay);
    }
}

/// A time of the grid's zone.
pub fn time(day: &str, clock: &str) -> String {
    format!("{day}T{clock}:00+05:30")
}
