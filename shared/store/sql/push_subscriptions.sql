-- Where the browsers of an account are reached, still sealed, for who sends to them.
-- $1 account
select jsonb_build_object(
    'id', push_subscription.id, 'account', account.id, 'wrapped_key', account.wrapped_key, 'sealed', push_subscription.sealed)
from push_subscription join account on account.id = push_subscription.account_id
where push_subscription.account_id = $1::uuid and account.state = 'active'
order by push_subscription.created_at, push_subscription.id
