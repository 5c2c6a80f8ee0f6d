SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.audit_log (
    id uuid NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    event text NOT NULL,
    user_id uuid,
    actor_id uuid,
    session_id uuid,
    ip text,
    user_agent text,
    request_id text NOT NULL,
    detail text
);
CREATE TABLE public.clients (
    id text NOT NULL,
    secret_sha256 bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone
);
CREATE TABLE public.installation (
    id bigint NOT NULL,
    token_epoch bigint NOT NULL,
    event_seq bigint NOT NULL,
    CONSTRAINT installation_id_check CHECK ((id = 1))
);
CREATE TABLE public.leases (
    name text NOT NULL,
    holder text NOT NULL,
    fence bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.login_failures (
    identifier text NOT NULL,
    pool text NOT NULL,
    failures bigint NOT NULL,
    in_a_row bigint NOT NULL,
    began_at timestamp with time zone NOT NULL,
    charged_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone
);
CREATE TABLE public.master_keys (
    key_id bigint NOT NULL,
    check_value bytea NOT NULL,
    created_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone
);
CREATE TABLE public.outbox (
    id uuid NOT NULL,
    subject_id uuid NOT NULL,
    subject_seq bigint NOT NULL,
    type text NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    data text NOT NULL
);
CREATE TABLE public.outbox_deliveries (
    event_id uuid NOT NULL,
    sink text NOT NULL,
    subject_id uuid NOT NULL,
    subject_seq bigint NOT NULL,
    attempts bigint NOT NULL,
    next_attempt_at timestamp with time zone NOT NULL,
    published_at timestamp with time zone,
    last_error text,
    outcome text
);
CREATE TABLE public.refresh_tokens (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    handle bytea NOT NULL,
    generation bigint NOT NULL,
    mac_key_id bigint NOT NULL,
    session_epoch bigint NOT NULL,
    client_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    rotated_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason text,
    ip text,
    user_agent text
)
WITH (fillfactor='70');
CREATE TABLE public.schema_migrations (
    version bigint NOT NULL,
    name text NOT NULL,
    min_binary bigint NOT NULL,
    applied_at timestamp with time zone NOT NULL
);
CREATE TABLE public.signing_keys (
    kid text NOT NULL,
    algorithm text NOT NULL,
    state text NOT NULL,
    public_jwk text NOT NULL,
    sealed_private bytea NOT NULL,
    master_key_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    promoted_at timestamp with time zone,
    retired_at timestamp with time zone,
    CONSTRAINT signing_keys_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'active'::text, 'retired'::text, 'removed'::text])))
);
CREATE TABLE public.users_auth (
    id uuid NOT NULL,
    email text NOT NULL,
    email_canonical text NOT NULL,
    email_verified boolean NOT NULL,
    password_hash text NOT NULL,
    roles text NOT NULL,
    status text NOT NULL,
    session_epoch bigint NOT NULL,
    event_seq bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT users_auth_status_check CHECK ((status = ANY (ARRAY['active'::text, 'disabled'::text])))
);
INSERT INTO public.audit_log VALUES ('01a2121e-9baf-7fb2-b75c-14b5abeb2c48', '2026-11-25 09:52:05.551186+00', 'signing_key_created', NULL, NULL, NULL, NULL, NULL, '', '{"algorithm":"ES256","kid":"gwIyK_lSSOPCEAQmJjrN76ZqkvctAwVdhq3jm34D8zw","state":"active"}');
INSERT INTO public.audit_log VALUES ('01a2121e-9baf-751f-8293-25a6a1ad79ea', '2026-11-25 09:52:05.551186+00', 'signing_key_created', NULL, NULL, NULL, NULL, NULL, '', '{"algorithm":"ES256","kid":"GBix6kKXC-BOiOOMN_Kg8TDi5pudn04XJE-t1lVLlro","state":"pending"}');
INSERT INTO public.audit_log VALUES ('01a2121e-9c97-7b50-a670-0ebed7decb09', '2026-11-25 09:52:05.783206+00', 'user_created', '01a2121e-9c97-7293-8431-73b49efc6830', NULL, NULL, NULL, 'keyward command line', '', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9ccc-7094-9073-9692d1625043', '2026-11-25 09:52:05.836583+00', 'user_created', '01a2121e-9ccc-7999-8203-0e3d8153fc85', NULL, NULL, '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9cc8-7f98-8123-f288e1ff6bad', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9cdc-72c8-946c-b4720848f5a9', '2026-11-25 09:52:05.852192+00', 'user_created', '01a2121e-9cdc-7fce-8b5b-ee872de1e43c', NULL, NULL, '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9cd6-7f1b-a613-1d4d0f64e5b8', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9ceb-7e4a-84ed-95c8f3fa9d72', '2026-11-25 09:52:05.867856+00', 'user_created', '01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8', NULL, NULL, '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9ce8-7f29-94f9-fa4e43055114', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9d03-70eb-8ef7-cedaca075bc3', '2026-11-25 09:52:05.891851+00', 'login_succeeded', '01a2121e-9ccc-7999-8203-0e3d8153fc85', NULL, '01a2121e-9d03-749f-9f9a-c906be100714', '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9cfd-7563-97c2-020de07d4914', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9d45-70bd-9afc-7fc372461a58', '2026-11-25 09:52:05.957425+00', 'login_succeeded', '01a2121e-9ccc-7999-8203-0e3d8153fc85', NULL, '01a2121e-9d45-73c1-8f3f-9730398bee58', '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9d37-7bce-b28a-066ed0c3064c', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9d4e-7f57-bdf0-5f2f8d38f502', '2026-11-25 09:52:05.966962+00', 'session_revoked', '01a2121e-9ccc-7999-8203-0e3d8153fc85', NULL, '01a2121e-9d45-73c1-8f3f-9730398bee58', '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9d4e-7903-be0e-89c442562d8a', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9d69-7122-b70a-4533730815cc', '2026-11-25 09:52:05.993272+00', 'login_succeeded', '01a2121e-9cdc-7fce-8b5b-ee872de1e43c', NULL, '01a2121e-9d69-74a6-9d79-f92c791b037c', '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9d62-7eb2-b927-351af2a01045', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9d85-7968-a2aa-f58a43912903', '2026-11-25 09:52:06.021055+00', 'login_failed', '01a2121e-9cdc-7fce-8b5b-ee872de1e43c', NULL, NULL, '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9d75-7073-b1df-b1c016387f21', '{"identifier":"Ggra1PgPMKHGOlZ1jRoKZKjqvmKuXjlIcyMaw4A2pDE","reason":"wrong_password"}');
INSERT INTO public.audit_log VALUES ('01a2121e-9d9d-7eeb-aa24-e05aec60e04d', '2026-11-25 09:52:06.045406+00', 'login_succeeded', '01a2121e-9c97-7293-8431-73b49efc6830', NULL, '01a2121e-9d9d-7ccd-9736-0be59b9b860a', '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9d91-7b76-a80f-ea719bd9f264', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9db4-7eb2-98c4-19fd25579488', '2026-11-25 09:52:06.068291+00', 'user_disabled', '01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8', '01a2121e-9c97-7293-8431-73b49efc6830', NULL, '127.0.0.1', 'Python-urllib/3.11', '01a2121e-9db0-7b4a-8a58-61b41d2ff7e0', NULL);
INSERT INTO public.audit_log VALUES ('01a2121e-9f8d-79fd-bd39-32302cbc29ea', '2026-11-25 09:52:06.541114+00', 'signing_key_promoted', NULL, NULL, NULL, NULL, 'keyward command line', '', '{"kid":"GBix6kKXC-BOiOOMN_Kg8TDi5pudn04XJE-t1lVLlro","previous_kid":"gwIyK_lSSOPCEAQmJjrN76ZqkvctAwVdhq3jm34D8zw"}');
INSERT INTO public.audit_log VALUES ('01a2121e-a000-75c3-88d4-960d14931dab', '2026-11-25 09:52:06.656097+00', 'signing_key_created', NULL, NULL, NULL, NULL, NULL, '', '{"algorithm":"ES256","kid":"SvcW637NkcAl8j7j-yv9FqwJXuZCQzpJYjSaAhB4pgo","state":"pending"}');
INSERT INTO public.audit_log VALUES ('01a2121e-a209-7f5a-b455-76ca2112c20f', '2026-11-25 09:52:07.177605+00', 'client_created', NULL, NULL, NULL, NULL, 'keyward command line', '', '{"client_id":"billing"}');
INSERT INTO public.clients VALUES ('billing', '\x4a7c9f794b6232e7abde70d7d707d1a1307d2d8cda7b4b1537bf3639e04fc02e', '2026-11-25 09:52:07.177605+00', NULL);
INSERT INTO public.installation VALUES (1, 0, 1);
INSERT INTO public.leases VALUES ('maintenance', '01a2121e-9cb5-7790-804f-cfbb410e85eb', 1, '2026-11-25 09:53:35.813639+00');
INSERT INTO public.leases VALUES ('relay/log', '01a2121e-9cb3-735a-bd1f-6c41df3cf768', 1, '1970-01-01 00:00:00+00');
INSERT INTO public.login_failures VALUES ('Ggra1PgPMKHGOlZ1jRoKZKjqvmKuXjlIcyMaw4A2pDE', 'untrusted', 1, 1, '2026-11-25 09:52:06.012975+00', '2026-11-25 09:52:06.012975+00', '2026-11-26 09:52:06.012975+00');
INSERT INTO public.master_keys VALUES (2186138415, '\x1faaf579fb6aa67980ca6a9b530a43f6', '2026-11-25 09:52:05.441677+00', NULL);
INSERT INTO public.outbox VALUES ('01a2121e-9c97-77db-abdf-145c9f12be1f', '01a2121e-9c97-7293-8431-73b49efc6830', 1, 'auth.user_created', '2026-11-25 09:52:05.783206+00', '{"email":"root@example.com","email_verified":true,"roles":["admin","user"],"user_id":"01a2121e-9c97-7293-8431-73b49efc6830"}');
INSERT INTO public.outbox VALUES ('01a2121e-9ccc-71a2-a69a-c3a6d0ee20a8', '01a2121e-9ccc-7999-8203-0e3d8153fc85', 1, 'auth.user_created', '2026-11-25 09:52:05.836583+00', '{"email":"ada@example.com","email_verified":false,"roles":["user"],"user_id":"01a2121e-9ccc-7999-8203-0e3d8153fc85"}');
INSERT INTO public.outbox VALUES ('01a2121e-9cdc-7d3a-b9e1-e55a318b7e07', '01a2121e-9cdc-7fce-8b5b-ee872de1e43c', 1, 'auth.user_created', '2026-11-25 09:52:05.852192+00', '{"email":"bob@example.com","email_verified":false,"roles":["user"],"user_id":"01a2121e-9cdc-7fce-8b5b-ee872de1e43c"}');
INSERT INTO public.outbox VALUES ('01a2121e-9ceb-7e69-b798-4fdbd0d41473', '01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8', 1, 'auth.user_created', '2026-11-25 09:52:05.867856+00', '{"email":"eve@example.com","email_verified":false,"roles":["user"],"user_id":"01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8"}');
INSERT INTO public.outbox VALUES ('01a2121e-9d4e-7219-a18d-40ba8060b86c', '01a2121e-9ccc-7999-8203-0e3d8153fc85', 2, 'auth.session_revoked', '2026-11-25 09:52:05.966962+00', '{"reason":"logout","session_ids":["01a2121e-9d45-73c1-8f3f-9730398bee58"],"user_id":"01a2121e-9ccc-7999-8203-0e3d8153fc85"}');
INSERT INTO public.outbox VALUES ('01a2121e-9db4-7970-b0d2-e1a5d1631704', '01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8', 2, 'auth.user_disabled', '2026-11-25 09:52:06.068291+00', '{"user_id":"01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8"}');
INSERT INTO public.outbox VALUES ('01a2121e-9f8d-7011-a42d-91366d998454', '00000000-0000-0000-0000-000000000000', 1, 'auth.signing_key_rotated', '2026-11-25 09:52:06.541114+00', '{"kid":"GBix6kKXC-BOiOOMN_Kg8TDi5pudn04XJE-t1lVLlro","previous_kid":"gwIyK_lSSOPCEAQmJjrN76ZqkvctAwVdhq3jm34D8zw"}');
INSERT INTO public.outbox_deliveries VALUES ('01a2121e-9c97-77db-abdf-145c9f12be1f', 'log', '01a2121e-9c97-7293-8431-73b49efc6830', 1, 1, '2026-11-25 09:52:05.783206+00', '2026-11-25 09:52:05.824949+00', NULL, 'published');
INSERT INTO public.outbox_deliveries VALUES ('01a2121e-9ccc-71a2-a69a-c3a6d0ee20a8', 'log', '01a2121e-9ccc-7999-8203-0e3d8153fc85', 1, 1, '2026-11-25 09:52:05.836583+00', '2026-11-25 09:52:05.848266+00', NULL, 'published');
INSERT INTO public.outbox_deliveries VALUES ('01a2121e-9cdc-7d3a-b9e1-e55a318b7e07', 'log', '01a2121e-9cdc-7fce-8b5b-ee872de1e43c', 1, 1, '2026-11-25 09:52:05.852192+00', '2026-11-25 09:52:05.957114+00', NULL, 'published');
INSERT INTO public.outbox_deliveries VALUES ('01a2121e-9ceb-7e69-b798-4fdbd0d41473', 'log', '01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8', 1, 1, '2026-11-25 09:52:05.867856+00', '2026-11-25 09:52:05.965542+00', NULL, 'published');
INSERT INTO public.outbox_deliveries VALUES ('01a2121e-9d4e-7219-a18d-40ba8060b86c', 'log', '01a2121e-9ccc-7999-8203-0e3d8153fc85', 2, 1, '2026-11-25 09:52:05.966962+00', '2026-11-25 09:52:05.985899+00', NULL, 'published');
INSERT INTO public.outbox_deliveries VALUES ('01a2121e-9db4-7970-b0d2-e1a5d1631704', 'log', '01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8', 2, 1, '2026-11-25 09:52:06.068291+00', '2026-11-25 09:52:06.079947+00', NULL, 'published');
INSERT INTO public.outbox_deliveries VALUES ('01a2121e-9f8d-7011-a42d-91366d998454', 'log', '00000000-0000-0000-0000-000000000000', 1, 1, '2026-11-25 09:52:06.541114+00', '2026-11-25 09:52:06.929693+00', NULL, 'published');
INSERT INTO public.refresh_tokens VALUES ('01a2121e-9d45-73c1-8f3f-9730398bee58', '01a2121e-9ccc-7999-8203-0e3d8153fc85', '\xf3b840cea3b27549ea269d21ee162dcf', 0, 2186138415, 0, 'keyward', '2026-11-25 09:52:05.957425+00', '2026-11-25 09:52:05.957425+00', '2026-12-25 09:52:05.957425+00', '2026-11-25 09:52:05.966962+00', 'logout', '127.0.0.1', 'Python-urllib/3.11');
INSERT INTO public.refresh_tokens VALUES ('01a2121e-9d69-74a6-9d79-f92c791b037c', '01a2121e-9cdc-7fce-8b5b-ee872de1e43c', '\x3eb3d3c645e5808c7ea16430b25a2c99', 0, 2186138415, 0, 'keyward', '2026-11-25 09:52:05.993272+00', '2026-11-25 09:52:05.993272+00', '2026-12-25 09:52:05.993272+00', NULL, NULL, '127.0.0.1', 'Python-urllib/3.11');
INSERT INTO public.refresh_tokens VALUES ('01a2121e-9d9d-7ccd-9736-0be59b9b860a', '01a2121e-9c97-7293-8431-73b49efc6830', '\x3f3f2f6ab9d4c5407cb31aba556f21a5', 0, 2186138415, 0, 'keyward', '2026-11-25 09:52:06.045406+00', '2026-11-25 09:52:06.045406+00', '2026-12-25 09:52:06.045406+00', NULL, NULL, '127.0.0.1', 'Python-urllib/3.11');
INSERT INTO public.refresh_tokens VALUES ('01a2121e-9d03-749f-9f9a-c906be100714', '01a2121e-9ccc-7999-8203-0e3d8153fc85', '\x10c1c01def95ae9a511c368105f388b0', 3, 2186138415, 0, 'keyward', '2026-11-25 09:52:05.891851+00', '2026-11-25 09:52:09.304609+00', '2026-12-25 09:52:05.891851+00', NULL, NULL, '127.0.0.1', 'Python-urllib/3.11');
INSERT INTO public.schema_migrations VALUES (1, '0001_users_auth', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.schema_migrations VALUES (2, '0002_refresh_tokens', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.schema_migrations VALUES (3, '0003_signing_keys', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.schema_migrations VALUES (4, '0004_outbox', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.schema_migrations VALUES (5, '0005_audit_log', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.schema_migrations VALUES (6, '0006_clients', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.schema_migrations VALUES (7, '0007_outbox_relay', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.schema_migrations VALUES (8, '0008_login_failures', 1, '2026-11-25 09:52:05.117022+00');
INSERT INTO public.signing_keys VALUES ('gwIyK_lSSOPCEAQmJjrN76ZqkvctAwVdhq3jm34D8zw', 'ES256', 'retired', '{"kty":"EC","crv":"P-256","x":"BoA2Y2iXLH2rs3Zat__JJ97B_n5FJMmy6hLtZ8KBaHM","y":"goB_3pEpD5PnSHWPqWEM599UQVpPaGAp1cGJFHnQLbI","kid":"gwIyK_lSSOPCEAQmJjrN76ZqkvctAwVdhq3jm34D8zw","use":"sig","alg":"ES256"}', '\x386003df0567b1058ae25df349097efbf792628052f2d35ae980edaca8894436ea9b2dbb4a8d9d43b002ea4b9a98aef17b9f0798ec8f6f5346cab56dae33eac9f4b7b8ee0976386b82b223da64ccb51579a1469f72da2bf573e87250a269a34e134a00d294d557e09ee9787accebc8018fead4eab3b4e4e73fb11f3670e5c7a4c5b9cca6dfb3fa916725a315b4982982bdc54fa3a3abfa8ead7a94672730bc7a72d1ddb7e00c', 2186138415, '2026-11-25 09:52:05.551186+00', '2026-11-25 09:52:05.551186+00', '2026-11-25 09:52:06.541114+00');
INSERT INTO public.signing_keys VALUES ('GBix6kKXC-BOiOOMN_Kg8TDi5pudn04XJE-t1lVLlro', 'ES256', 'active', '{"kty":"EC","crv":"P-256","x":"ypxGsKLxyfOW-dEhUq-rg3FP9AvpIjRpVbqSV1juwRY","y":"jcKWrhujshjJfoZBCWbFD_lF97yav9UYA2TBiiQxBYA","kid":"GBix6kKXC-BOiOOMN_Kg8TDi5pudn04XJE-t1lVLlro","use":"sig","alg":"ES256"}', '\x102a4b74246722a51f63ab66fc167cf981d3f7843fb70aee33244a1cf05a6ab9cb188c320f189e083d0d756c291de7e03b60a78636cdab0eec94f97cb86adcf2856add78ae0118724fee6c9b2f4d4ae06f02b08ea74d954d34e8e63870b7603e44e1cc20d6ce500c81d5875f054b0a53d128198e02053260abd6e5ca9f936cc2a6ce992ebcfb4d04331a12991842d2d77fc7f3ec36c471b596f4c718513975614452dc9f84c2', 2186138415, '2026-11-25 09:52:05.551186+00', '2026-11-25 09:52:06.541114+00', NULL);
INSERT INTO public.signing_keys VALUES ('SvcW637NkcAl8j7j-yv9FqwJXuZCQzpJYjSaAhB4pgo', 'ES256', 'pending', '{"kty":"EC","crv":"P-256","x":"HklNVW3I8Rqkjyj7FH6qdb7fnpYF41R4S3K2-yYkHuM","y":"e16CMrRy8OcLhzUfULcJq0DD-URqC02eqdJKzLwKvdY","kid":"SvcW637NkcAl8j7j-yv9FqwJXuZCQzpJYjSaAhB4pgo","use":"sig","alg":"ES256"}', '\xff49a65bdd1b8c8a9da30fae04b61833d22b2219db5a552d39e6fc7170a770980c79c034b1cb1d1289c3a3f6af0e65de2a69261bf4e8c6229eb995ef375785741f6d760df1643a21a693d0a908686084dcaa335ed3cd7d406e462dac45f81b45003cdad86cbaa235f63ed7396456a7fe4f9bea55b618281f537bd3ee6d6144b5a590bf1e6416acd0101e437e32a3fef5d67cc1493b56ebd4d59999cbe86cb9f423b06ac3a4a3', 2186138415, '2026-11-25 09:52:06.656097+00', NULL, NULL);
INSERT INTO public.users_auth VALUES ('01a2121e-9c97-7293-8431-73b49efc6830', 'root@example.com', 'root@example.com', true, '$argon2id$v=19$m=64,t=1,p=1$GClutT9ORY0q0MIGKHuY0A$TmavPk88ZqZE3zm2+2uHOAXO2ZpDqMlJGsKFPbwUJIU', 'admin user', 'active', 0, 1, '2026-11-25 09:52:05.783206+00', '2026-11-25 09:52:05.783206+00');
INSERT INTO public.users_auth VALUES ('01a2121e-9cdc-7fce-8b5b-ee872de1e43c', 'bob@example.com', 'bob@example.com', false, '$argon2id$v=19$m=64,t=1,p=1$tMCe22Dse4JYnoTv3pxB1Q$RpKd+yXDFMG0t/Gxwq/OsbUXgvSE/htSdvJX6vD+8+4', 'user', 'active', 0, 1, '2026-11-25 09:52:05.852192+00', '2026-11-25 09:52:05.852192+00');
INSERT INTO public.users_auth VALUES ('01a2121e-9ccc-7999-8203-0e3d8153fc85', 'ada@example.com', 'ada@example.com', false, '$argon2id$v=19$m=64,t=1,p=1$vsAj3+Fk1dcRAxeNqPIplg$ZVXT/N955KwpfAAY1obHSVuPBkO4IV80bGd7H9NiJqY', 'user', 'active', 0, 2, '2026-11-25 09:52:05.836583+00', '2026-11-25 09:52:05.836583+00');
INSERT INTO public.users_auth VALUES ('01a2121e-9ceb-7bf5-9f4c-3d2b12fc52a8', 'eve@example.com', 'eve@example.com', false, '$argon2id$v=19$m=64,t=1,p=1$sUOsAJ8bMGD/CPofWInwAQ$iWEecpsLujhG+ju2E2vd1U8/G5Hnui5I4vlpXYYrRX4', 'user', 'disabled', 1, 2, '2026-11-25 09:52:05.867856+00', '2026-11-25 09:52:06.068291+00');
ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.clients
    ADD CONSTRAINT clients_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.login_failures
    ADD CONSTRAINT login_failures_pkey PRIMARY KEY (identifier, pool);
ALTER TABLE ONLY public.master_keys
    ADD CONSTRAINT master_keys_pkey PRIMARY KEY (key_id);
ALTER TABLE ONLY public.outbox_deliveries
    ADD CONSTRAINT outbox_deliveries_pkey PRIMARY KEY (event_id, sink);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (kid);
ALTER TABLE ONLY public.users_auth
    ADD CONSTRAINT users_auth_pkey PRIMARY KEY (id);
CREATE INDEX audit_log_user_id ON public.audit_log USING btree (user_id, id);
CREATE INDEX login_failures_expires_at ON public.login_failures USING btree (expires_at);
CREATE INDEX outbox_deliveries_due ON public.outbox_deliveries USING btree (sink, next_attempt_at, event_id) WHERE (published_at IS NULL);
CREATE INDEX outbox_deliveries_order ON public.outbox_deliveries USING btree (sink, subject_id, subject_seq) WHERE (published_at IS NULL);
CREATE UNIQUE INDEX outbox_subject ON public.outbox USING btree (subject_id, subject_seq);
CREATE INDEX refresh_tokens_ended_at ON public.refresh_tokens USING btree (ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX refresh_tokens_expires_at ON public.refresh_tokens USING btree (expires_at);
CREATE UNIQUE INDEX refresh_tokens_handle ON public.refresh_tokens USING btree (handle);
CREATE INDEX refresh_tokens_user_id ON public.refresh_tokens USING btree (user_id);
CREATE UNIQUE INDEX signing_keys_one_active ON public.signing_keys USING btree (state) WHERE (state = 'active'::text);
CREATE UNIQUE INDEX signing_keys_one_pending ON public.signing_keys USING btree (state) WHERE (state = 'pending'::text);
CREATE UNIQUE INDEX users_auth_email_canonical ON public.users_auth USING btree (email_canonical);
ALTER TABLE ONLY public.outbox_deliveries
    ADD CONSTRAINT outbox_deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES public.outbox(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT refresh_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users_auth(id) ON DELETE CASCADE;
