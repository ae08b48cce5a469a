//! The organisations of a network and what each of them does.

use anyhow::anyhow;
use contracts::registry::Role;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::commands::submit::role_name;
use crate::exit::{EndWith, Ended, Exit};

/// Validators of one network on one machine.
pub const MAX_ORGANISATIONS: usize = 32;

/// An organisation that runs a node, or ran one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its name, which is also its alias on the ledger and the name of its files.
    pub name: String,
    /// What it may do on the ledger.
    #[serde(serialize_with = "write_roles", deserialize_with = "read_roles")]
    pub roles: Vec<Role>,
}

fn write_roles<S: Serializer>(roles: &[Role], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(roles.iter().map(|role| role_name(*role)))
}

fn read_roles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Role>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    let role = |name: &String| {
        let known = Role::ALL.iter().find(|role| role_name(**role) == name).copied();
        known.ok_or_else(|| D::Error::custom(format!("{name:?} is no role")))
    };
    names.iter().map(role).collect()
}

impl Organisation {
    /// An organisation that comes to a network that runs: what its name says, else a distributor.
    ///
    /// # Errors
    /// Usage: a name that is no file name.
    pub fn newcomer(name: &str) -> Result<Self, Ended> {
        check_name(name).map_err(|why| anyhow!(why)).end_with(Exit::Usage)?;
        let role = role_of_name(name).unwrap_or(Role::Distributor);
        Ok(Self { name: name.to_owned(), roles: vec![role] })
    }

    /// Does it have this role?
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Its roles as the command line writes them.
    pub fn role_names(&self) -> Vec<&'static str> {
        self.roles.iter().map(|role| role_name(*role)).collect()
    }
}

/// The organisations of these names. A name that begins with `regulator`, `grid` or `dist` says what
/// its organisation is; where nobody is, the first other name is the grid operator, the last one the
/// regulator, and the rest are distributors. The grid operator also countersigns registrations and
/// issues tokens.
///
/// # Errors
/// Usage: too few or too many, a name twice, a name that is no file name.
pub fn organisations(names: &[String]) -> Result<Vec<Organisation>, Ended> {
    let wrong = |text: String| Err::<Vec<_>, _>(anyhow!(text)).end_with(Exit::Usage);
    if !(3..=MAX_ORGANISATIONS).contains(&names.len()) {
        return wrong(format!(
            "--orgs names {} organisations; wanted are 3 to {MAX_ORGANISATIONS}: a grid operator, \
             a distributor, a regulator",
            names.len()
        ));
    }
    for (index, name) in names.iter().enumerate() {
        if let Err(why) = check_name(name) {
            return wrong(format!("--orgs: {why}"));
        }
        if names[..index].contains(name) {
            return wrong(format!("--orgs names {name:?} twice"));
        }
    }
    let organisations = assigned(names);
    if !organisations.iter().any(|one| one.is(Role::Distributor)) {
        return wrong("--orgs names no distributor".to_owned());
    }
    Ok(organisations)
}

/// What the members of a further ledger do on it: what they do on the main one. Where no regulator is
/// among them the last one regulates, and where no network provider is, the first of the others operates
/// the grid, countersigns and issues tokens.
///
/// # Errors
/// Usage: fewer than two members, or nobody beside the regulators.
pub fn on_further_ledger(mut members: Vec<Organisation>) -> Result<Vec<Organisation>, Ended> {
    if members.len() < 2 {
        return Err(anyhow!("--members: a further ledger has at least two members"))
            .end_with(Exit::Usage);
    }
    if !members.iter().any(|member| member.is(Role::Regulator))
        && let Some(last) = members.last_mut()
    {
        last.roles = vec![Role::Regulator];
    }
    if !members.iter().any(|member| member.is(Role::NetworkProvider)) {
        let Some(first) = members.iter_mut().find(|member| !member.is(Role::Regulator)) else {
            return Err(anyhow!("--members: all of them are regulators")).end_with(Exit::Usage);
        };
        let office = [Role::GridOperator, Role::Aggregator, Role::NetworkProvider];
        let missing = office.into_iter().filter(|role| !first.is(*role)).collect::<Vec<_>>();
        first.roles.extend(missing);
    }
    Ok(members)
}

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 32 || name.starts_with('-') || !name.chars().all(is_plain) {
        return Err(format!(
            "{name:?} is no name; wanted are up to 32 small letters, digits and dashes"
        ));
    }
    if name == "owner" || name.starts_with("household-") || name.starts_with("meter-") {
        return Err(format!("{name:?} is the name of another key"));
    }
    Ok(())
}

fn assigned(names: &[String]) -> Vec<Organisation> {
    let mut roles: Vec<Option<Role>> = names.iter().map(|name| role_of_name(name)).collect();
    if !roles.contains(&Some(Role::GridOperator)) {
        let first = roles.iter().position(Option::is_none).unwrap_or(0);
        roles[first] = Some(Role::GridOperator);
    }
    if !roles.contains(&Some(Role::Regulator)) {
        let last = roles.iter().rposition(Option::is_none).unwrap_or(roles.len() - 1);
        roles[last] = Some(Role::Regulator);
    }
    let mut has_provider = false;
    let named = names.iter().zip(roles);
    named
        .map(|(name, role)| {
            let role = role.unwrap_or(Role::Distributor);
            let mut roles = vec![role];
            if role == Role::GridOperator && !std::mem::replace(&mut has_provider, true) {
                roles.extend([Role::Aggregator, Role::NetworkProvider]);
            }
            Organisation { name: name.clone(), roles }
        })
        .collect()
}

fn role_of_name(name: &str) -> Option<Role> {
    let beginnings =
        [("regulator", Role::Regulator), ("grid", Role::GridOperator), ("dist", Role::Distributor)];
    beginnings.iter().find(|(beginning, _)| name.starts_with(beginning)).map(|(_, role)| *role)
}

/// Rule: of n validators ⌊(n − 1) / 3⌋ may fail.
pub const fn tolerated_faults(validators: usize) -> usize {
    validators.saturating_sub(1) / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_roles(names: &str) -> Vec<Role> {
        let names: Vec<String> = names.split(',').map(str::to_owned).collect();
        organisations(&names).unwrap().iter().map(|one| one.roles[0]).collect()
    }

    #[test]
    fn names_or_places_tell_the_roles() {
        use Role::{Distributor, GridOperator, Regulator};
        let usual = [GridOperator, Distributor, Distributor, Regulator];
        assert_eq!(first_roles("grid,dist-a,dist-b,regulator"), usual);
        assert_eq!(first_roles("a,b,c,d"), usual);
        assert_eq!(first_roles("regulator,x,y"), [Regulator, GridOperator, Distributor]);
        assert_eq!(first_roles("dist-a,dist-b,dist-c"), [GridOperator, Distributor, Regulator]);
        let names = ["grid-1", "grid-2", "dist", "regulator"].map(str::to_owned);
        let two = organisations(&names).unwrap();
        assert!(two[0].is(Role::NetworkProvider) && !two[1].is(Role::NetworkProvider));
    }

    #[test]
    fn names_that_are_no_names() {
        for wrong in [
            "a,b",
            "a,b,b",
            "a,b,",
            "a,B,c",
            "a,../b,c",
            "-a,b,c",
            "owner,b,c",
            "grid,regulator,grid-2",
        ] {
            let names: Vec<String> = wrong.split(',').map(str::to_owned).collect();
            assert_eq!(organisations(&names).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn a_newcomers_name_tells_its_role() {
        let roles = ["dist-c", "grid-2", "regulator-2", "utility"]
            .map(|name| Organisation::newcomer(name).unwrap().roles);
        use Role::{Distributor, GridOperator, Regulator};
        assert_eq!(roles.concat(), [Distributor, GridOperator, Regulator, Distributor]);
        for wrong in ["", "-x", "Dist", "owner", "meter-1", "a/b"] {
            assert_eq!(Organisation::newcomer(wrong).unwrap_err().exit, Exit::Usage, "{wrong}");
        }
    }

    #[test]
    fn somebody_regulates_and_countersigns_on_a_further_ledger() {
        let of = |names: &[&str]| {
            let members = names.iter().map(|name| Organisation::newcomer(name).unwrap()).collect();
            on_further_ledger(members)
        };
        let two = of(&["dist-a", "dist-b"]).unwrap();
        assert!(two[0].is(Role::NetworkProvider) && two[0].is(Role::Distributor));
        assert_eq!(two[1].roles, [Role::Regulator]);
        let three = of(&["regulator", "dist-a", "dist-b"]).unwrap();
        assert_eq!(three[2].roles, [Role::Distributor]);
        assert!(three[1].is(Role::GridOperator));
        for wrong in [&["dist-a"][..], &["regulator", "regulator-2"]] {
            assert_eq!(of(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
    }

    #[test]
    fn roles_are_written_as_the_command_line_writes_them() {
        let one = Organisation::newcomer("grid-2").unwrap();
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(text, r#"{"name":"grid-2","roles":["grid-operator"]}"#);
        assert_eq!(serde_json::from_str::<Organisation>(&text).unwrap(), one);
        assert!(serde_json::from_str::<Organisation>(r#"{"name":"a","roles":["king"]}"#).is_err());
    }

    #[test]
    fn four_tolerate_one() {
        assert_eq!([1, 2, 3, 4, 6, 7].map(tolerated_faults), [0, 0, 0, 1, 1, 2]);
    }
}
