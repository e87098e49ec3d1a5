//! The policy as a table for people.

use std::fmt::Write as _;

use super::{Access, Action, Resource, Role, rule_for};

/// A Markdown table: a line for each thing and what is done to it, a column for each role, in each cell the relations of
/// which one must hold; nothing is no.
pub fn matrix() -> String {
    let mut table = String::from("| to what, what |");
    for role in Role::ALL {
        // Writing to a text does not fail.
        let _ = write!(table, " {role} |");
    }
    table.push_str("\n| --- |");
    table.push_str(&" --- |".repeat(Role::ALL.len()));
    table.push('\n');
    for resource in Resource::ALL {
        for action in Action::ALL {
            let access = Access { resource: *resource, action: *action };
            let cells: Vec<String> = Role::ALL.iter().map(|role| cell(*role, access)).collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                let _ = writeln!(table, "| `{access}` | {} |", cells.join(" | "));
            }
        }
    }
    table
}

fn cell(role: Role, access: Access) -> String {
    let names = rule_for(role, access).map(|rule| rule.relations.iter().map(|relation| relation.name()));
    names.map(|names| names.collect::<Vec<_>>().join(", ")).unwrap_or_default()
}
