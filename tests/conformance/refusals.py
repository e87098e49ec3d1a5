"""What may be refused though the schema allows it: nothing but this, and each by its own problem."""

import schemathesis

DATES = {("range-reversed", "from"), ("beyond-horizon", "from"), ("beyond-horizon", "to")}
CURSOR = {("field-invalid", "cursor")}
BIRTH = {("field-invalid", "birth_date")}
# Unseen characters, heaps of marks, alphabets that look alike.
NAME = {("field-invalid", "given_name"), ("field-invalid", "family_name")}
TOKEN = {("link-invalid", "token")}
KEY = {("idempotency-key-reused", "Idempotency-Key")}
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
    "POST /v1/accounts/closure": {("password-wrong", "password")},
    "POST /v1/patients": BIRTH | NAME,
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
