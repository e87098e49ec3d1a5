"""What may be refused though the schema allows it: nothing but this, and each by its own problem."""

import schemathesis

DATES = {("range-reversed", "from"), ("beyond-horizon", "from"), ("beyond-horizon", "to")}
CURSOR = {("field-invalid", "cursor")}
BIRTH = {("field-invalid", "birth_date")}
# Unseen characters, heaps of marks, alphabets that look alike.
NAME = {("field-invalid", "given_name"), ("field-invalid", "family_name")}
COLLEAGUE = {("field-invalid", "name")}
TOKEN = {("link-invalid", "token")}
# Only the inviter knows a code, only an app or a browser the right answer, only a mail the right token.
CODE = {("invitation-invalid", "code")}
OTP = {("field-invalid", "code")}
SENT_CODE = {("code-wrong", "code")}
CREDENTIAL = {("field-invalid", "credential"), ("field-invalid", "ceremony")}
KEY = {("idempotency-key-reused", "Idempotency-Key")}
# Titles in which something is not seen, and flags that are somebody else's to set.
SAID = {("field-invalid", "title")}
# A text is words of ours between `{{` and `}}`, and what the channel carries.
WORDS = {("field-invalid", "subject"), ("field-invalid", "body"), ("field-missing", "subject"), ("field-invalid", "channel")}
ADDRESS = {("field-invalid", "url")}
HIDDEN = {("field-invalid", f"hidden_from_{whom}") for whom in ("patient", "representatives", "professionals")}
ALLOWED = {
    "GET /v1/practitioners": CURSOR | {("beyond-horizon", "free_on"), ("field-invalid", "radius_km")},
    "GET /v1/slots": CURSOR | DATES | {("range-too-long", "to"), ("field-missing", "practitioner")},
    "GET /v1/appointments": CURSOR | DATES,
    "POST /v1/accounts": BIRTH | NAME | {("field-invalid", "email"), ("field-invalid", "password")},
    "POST /v1/accounts/email-verification": TOKEN,
    "POST /v1/accounts/password-reset": TOKEN,
    "POST /v1/accounts/password": {("password-wrong", "current_password")},
    "POST /v1/accounts/email-change": {("field-invalid", "email"), ("password-wrong", "password")},
    "POST /v1/accounts/email-change/confirmation": TOKEN,
    "POST /v1/accounts/email-change/refusal": TOKEN,
    # A number needs its country; the account may have none.
    "POST /v1/accounts/phone": {("field-invalid", "phone"), ("password-wrong", "password")},
    "POST /v1/accounts/phone-verification/request": {("field-invalid", "phone"), ("field-missing", "phone")},
    "POST /v1/accounts/phone-verification": SENT_CODE,
    "POST /v1/accounts/closure": {("password-wrong", "password")},
    "POST /v1/patients": BIRTH | NAME,
    # Of 15 or more; `self` is all rights, and the others are never more than the inviter's.
    "POST /v1/patients/{id}/guardians": {("field-invalid", "relation"), ("field-invalid", "rights")},
    "POST /v1/guardianships": CODE,
    "POST /v1/memberships": CODE,
    # The directory knows who is who.
    "POST /v1/professionals": {("field-invalid", "rpps"), ("field-invalid", "profession")},
    "POST /v1/second-factors/totp/confirmation": OTP,
    "POST /v1/sessions/second-factor": {("field-invalid", "otp")},
    "POST /v1/second-factors/passkeys": CREDENTIAL,
    # Of an account or of an address, one of the two.
    "POST /v1/second-factors/reset": {("field-missing", "account"), ("field-invalid", "account")},
    # Only a browser knows where it is reached.
    "POST /v1/push-subscriptions": {("field-invalid", name) for name in ("endpoint", "keys.p256dh", "keys.auth")},
    "GET /v1/me/notices": CURSOR,
    # Zones, and the hours of a night.
    "PUT /v1/me/notice-preferences": {("field-invalid", name) for name in ("time_zone", "night", "reminder_steps_minutes")},
    "GET /v1/letters": CURSOR,
    "PUT /v1/notice-templates": WORDS,
    "POST /v1/notice-templates/preview": WORDS,
    # No name, no way there, no `https`.
    "POST /v1/webhooks": ADDRESS,
    "PATCH /v1/webhooks/{id}": ADDRESS,
    # A secret or a certificate with its key; an address that leads to a server; of one kind, what the other has.
    "POST /v1/exchange-servers": {("field-invalid", "access"), ("field-unknown", "access")},
    "POST /v1/exchange-mailboxes": {("field-invalid", "address")},
    "GET /v1/webhooks/{id}/deliveries": CURSOR,
    # By one delivery, or by a time.
    "POST /v1/webhooks/{id}/replay": {("field-invalid", "delivery"), ("field-missing", "delivery"), ("range-reversed", "from")},
    "GET /v1/me/access-log": CURSOR | DATES,
    "GET /v1/audit": CURSOR | {("field-invalid", "date[0]"), ("field-invalid", "date[1]"), ("field-invalid", "date"),
                               ("range-too-long", "date"), ("range-reversed", "date")},
    "POST /v1/establishments/{id}/administrators": COLLEAGUE,
    "POST /v1/members/invitations": COLLEAGUE,
    "GET /v1/documents": CURSOR,
    "POST /v1/documents": KEY | SAID | HIDDEN,
    "POST /v1/documents/{id}/versions": KEY,
    "PATCH /v1/documents/{id}": SAID,
    "POST /v1/documents/{id}/visibility": HIDDEN,
    "GET /v1/documents/content/{token}": {("link-invalid", None)},
    "POST /v1/appointments": KEY,
    "POST /v1/holds": KEY,
}
REFUSALS = {400, 413, 415, 422}


@schemathesis.check
def refusals_that_no_schema_can_say(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in REFUSALS:
        return
    problem = response.json()
    refusal = (problem["type"].removeprefix("/problems/"), problem.get("field"))
    label = case.operation.label
    assert refusal in ALLOWED.get(label, set()), f"{label} refuses valid data: {refusal}"


@schemathesis.check
def refusals_are_problems(ctx, response, case):
    if response.status_code < 400 or case.method == "HEAD":
        return
    assert response.headers["content-type"] == ["application/problem+json"], response.headers["content-type"]
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"].startswith("/problems/") and problem["title"]
