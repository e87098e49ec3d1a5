-- Every specialty that somebody practises here.
select jsonb_build_object('code', code, 'label_fr', label_fr, 'label_en', label_en)
from specialty
where exists (select from practitioner_specialty ps where ps.specialty_code = specialty.code)
order by label_fr
