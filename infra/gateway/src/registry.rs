//! Every function of the product, in one list.

use runtime::Function;

/// All functions, by name.
pub const FUNCTIONS: &[Function] = &[
    fn_accounts::FUNCTION,
    fn_second_factors::FUNCTION,
    fn_sign_in::FUNCTION,
    fn_appointments::FUNCTION,
    fn_book::FUNCTION,
    fn_cancel::FUNCTION,
    fn_deliver_outbox::FUNCTION,
    fn_expire_holds::FUNCTION,
    fn_import_directory::FUNCTION,
    fn_move::FUNCTION,
    fn_notify::FUNCTION,
    fn_search::FUNCTION,
    fn_send_reminders::FUNCTION,
];

/// The function of that name.
pub fn find(name: &str) -> Option<Function> {
    FUNCTIONS.iter().find(|function| function.name == name).copied()
}
