#!/bin/sh
# Makes the two buckets of documents, on AWS or on what speaks like it, with the AWS CLI (`aws`, or AWS=… with its options, such
# as AWS="aws --endpoint-url https://s3.fr-par.scw.cloud"). Said again, it changes nothing.
#
#   ADMINISTRATOR=arn:aws:iam::…:role/… ORIGIN=https://… sh prepare.sh DOCUMENTS UPLOADS REGION
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
aws=${AWS:-aws}
[ $# = 3 ] || { echo "prepare.sh: DOCUMENTS UPLOADS REGION are expected" >&2; exit 64; }
documents=$1 uploads=$2 region=$3
: "${ADMINISTRATOR:?is who may take versions and locks away, an ARN}" "${ORIGIN:?is where the pages come from that send documents}"

filled() { sed -e "s|BUCKET|$2|g" -e "s|ADMINISTRATOR|$ADMINISTRATOR|g" -e "s|ORIGIN|$ORIGIN|g" "$here/$1.json"; }
s3() { $aws s3api "$@" >/dev/null; }
make() { # NAME, and what else is said of it
    name=$1; shift
    s3 head-bucket --bucket "$name" 2>/dev/null && return
    where=
    [ "$region" = us-east-1 ] || where="--create-bucket-configuration LocationConstraint=$region"
    # shellcheck disable=SC2086
    s3 create-bucket --bucket "$name" --region "$region" $where "$@"
}

make "$documents" --object-lock-enabled-for-bucket
make "$uploads"
s3 put-object-lock-configuration --bucket "$documents" --object-lock-configuration "$(filled documents-lock "$documents")"
for what in documents uploads; do
    eval "name=\$$what"
    s3 put-public-access-block --bucket "$name" --public-access-block-configuration \
        BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
    s3 put-bucket-lifecycle-configuration --bucket "$name" --lifecycle-configuration "$(filled $what-lifecycle "$name")"
    s3 put-bucket-policy --bucket "$name" --policy "$(filled $what-policy "$name")"
done
s3 put-bucket-cors --bucket "$uploads" --cors-configuration "$(filled uploads-cors "$uploads")"
