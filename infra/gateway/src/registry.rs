//! Every function of the product, in one list.

use runtime::Function;

/// All functions, by name.
pub const FUNCTIONS: &[Function] = &[
    fn_access_log::FUNCTION,
    fn_account_mail::FUNCTION,
    fn_accounts::FUNCTION,
    fn_sign_in_with::FUNCTION,
    fn_second_factors::FUNCTION,
    fn_sign_in::FUNCTION,
    fn_appointments::FUNCTION,
    fn_blocks::FUNCTION,
    fn_book::FUNCTION,
    fn_calendar_feeds::FUNCTION,
    fn_cancel::FUNCTION,
    fn_capacities::FUNCTION,
    fn_check_document::FUNCTION,
    fn_deliver_outbox::FUNCTION,
    fn_documents::FUNCTION,
    fn_emergency_access::FUNCTION,
    fn_exchange_mailboxes::FUNCTION,
    fn_exchange_notify::FUNCTION,
    fn_exchange_push::FUNCTION,
    fn_expire_holds::FUNCTION,
    fn_export_audit::FUNCTION,
    fn_guardians::FUNCTION,
    fn_import_directory::FUNCTION,
    fn_listen_exchange::FUNCTION,
    fn_members::FUNCTION,
    fn_move::FUNCTION,
    fn_notice_templates::FUNCTION,
    fn_notices::FUNCTION,
    fn_notify::FUNCTION,
    fn_seal_audit::FUNCTION,
    fn_patients::FUNCTION,
    fn_plan_webhooks::FUNCTION,
    fn_professionals::FUNCTION,
    fn_purge::FUNCTION,
    fn_purge_documents::FUNCTION,
    fn_push_subscriptions::FUNCTION,
    fn_reconcile_documents::FUNCTION,
    fn_search::FUNCTION,
    fn_secrecy::FUNCTION,
    fn_sms_callbacks::FUNCTION,
    fn_send_webhooks::FUNCTION,
    fn_sync_exchange::FUNCTION,
    fn_tend_accounts::FUNCTION,
    fn_upload_document::FUNCTION,
    fn_webhooks::FUNCTION,
];

/// The function of that name.
pub fn find(name: &str) -> Option<Function> {
    FUNCTIONS.iter().find(|function| function.name == name).copied()
}
