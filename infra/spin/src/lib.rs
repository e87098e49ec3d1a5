//! The functions as components of Spin (WASI 0.3): which of them a component holds is said by features, one a function.
#![cfg(target_family = "wasm")]

use axum::response::Response;
use runtime::Function;

/// What this component answers.
const FUNCTIONS: &[Function] = &[
    #[cfg(feature = "access-log")]
    fn_access_log::FUNCTION,
    #[cfg(feature = "accounts")]
    fn_accounts::FUNCTION,
    #[cfg(feature = "appointments")]
    fn_appointments::FUNCTION,
    #[cfg(feature = "blocks")]
    fn_blocks::FUNCTION,
    #[cfg(feature = "book")]
    fn_book::FUNCTION,
    #[cfg(feature = "calendar-feeds")]
    fn_calendar_feeds::FUNCTION,
    #[cfg(feature = "cancel")]
    fn_cancel::FUNCTION,
    #[cfg(feature = "capacities")]
    fn_capacities::FUNCTION,
    #[cfg(feature = "deliver-outbox")]
    fn_deliver_outbox::FUNCTION,
    #[cfg(feature = "documents")]
    fn_documents::FUNCTION,
    #[cfg(feature = "emergency-access")]
    fn_emergency_access::FUNCTION,
    #[cfg(feature = "exchange-mailboxes")]
    fn_exchange_mailboxes::FUNCTION,
    #[cfg(feature = "exchange-notify")]
    fn_exchange_notify::FUNCTION,
    #[cfg(feature = "expire-holds")]
    fn_expire_holds::FUNCTION,
    #[cfg(feature = "export-audit")]
    fn_export_audit::FUNCTION,
    #[cfg(feature = "guardians")]
    fn_guardians::FUNCTION,
    #[cfg(feature = "members")]
    fn_members::FUNCTION,
    #[cfg(feature = "move")]
    fn_move::FUNCTION,
    #[cfg(feature = "notice-templates")]
    fn_notice_templates::FUNCTION,
    #[cfg(feature = "notices")]
    fn_notices::FUNCTION,
    #[cfg(feature = "patients")]
    fn_patients::FUNCTION,
    #[cfg(feature = "plan-webhooks")]
    fn_plan_webhooks::FUNCTION,
    #[cfg(feature = "professionals")]
    fn_professionals::FUNCTION,
    #[cfg(feature = "purge")]
    fn_purge::FUNCTION,
    #[cfg(feature = "purge-documents")]
    fn_purge_documents::FUNCTION,
    #[cfg(feature = "push-subscriptions")]
    fn_push_subscriptions::FUNCTION,
    #[cfg(feature = "reconcile-documents")]
    fn_reconcile_documents::FUNCTION,
    #[cfg(feature = "seal-audit")]
    fn_seal_audit::FUNCTION,
    #[cfg(feature = "search")]
    fn_search::FUNCTION,
    #[cfg(feature = "second-factors")]
    fn_second_factors::FUNCTION,
    #[cfg(feature = "secrecy")]
    fn_secrecy::FUNCTION,
    #[cfg(feature = "sign-in")]
    fn_sign_in::FUNCTION,
    #[cfg(feature = "sign-in-with")]
    fn_sign_in_with::FUNCTION,
    #[cfg(feature = "sms-callbacks")]
    fn_sms_callbacks::FUNCTION,
    #[cfg(feature = "tend-accounts")]
    fn_tend_accounts::FUNCTION,
    #[cfg(feature = "upload-document")]
    fn_upload_document::FUNCTION,
];

#[spin_sdk::http_service]
async fn handle(request: spin_sdk::http::Request) -> Response {
    runtime::host::spin::handle(FUNCTIONS, request).await
}
