PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE schema_migrations (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, min_binary INTEGER NOT NULL, applied_at INTEGER NOT NULL) STRICT;
INSERT INTO schema_migrations VALUES(1,'0001_users_auth',1,1795600320327823);
INSERT INTO schema_migrations VALUES(2,'0002_refresh_tokens',1,1795600320327823);
INSERT INTO schema_migrations VALUES(3,'0003_signing_keys',1,1795600320327823);
INSERT INTO schema_migrations VALUES(4,'0004_outbox',1,1795600320327823);
INSERT INTO schema_migrations VALUES(5,'0005_audit_log',1,1795600320327823);
INSERT INTO schema_migrations VALUES(6,'0006_clients',1,1795600320327823);
INSERT INTO schema_migrations VALUES(7,'0007_outbox_relay',1,1795600320327823);
INSERT INTO schema_migrations VALUES(8,'0008_login_failures',1,1795600320327823);
CREATE TABLE users_auth (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL,
    email_verified INTEGER NOT NULL,
    password_hash TEXT NOT NULL,
    roles TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    session_epoch INTEGER NOT NULL,
    event_seq INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
INSERT INTO users_auth VALUES(X'01a2121e87e07c4296c497efb175e12b','root@example.com','root@example.com',1,'$argon2id$v=19$m=64,t=1,p=1$MrfLygG2Z3iQ8PsB8fzwsA$BHXuE7MHHAT/YREFELj7sC2jlX7fQVj8QaAj3i+//Cg','admin user','active',0,1,1795600320480874,1795600320480874);
INSERT INTO users_auth VALUES(X'01a2121e885170b39dd28d7ac0211a47','ada@example.com','ada@example.com',0,'$argon2id$v=19$m=64,t=1,p=1$u3RHGScydxp0HZAQrbWM3w$SCNkw6UMtMo7VguZYOMzsPUbKEfPCIUyIE1tDPtdON0','user','active',0,2,1795600320593795,1795600320593795);
INSERT INTO users_auth VALUES(X'01a2121e886475509c480c78adbe4c9d','bob@example.com','bob@example.com',0,'$argon2id$v=19$m=64,t=1,p=1$oa47JQYpJVsdLBcnlsWwAw$SXk4jsFkQ6IgNK/SUKXSlV3a2ifa+IFmhBbOQWknr7M','user','active',0,1,1795600320612410,1795600320612410);
INSERT INTO users_auth VALUES(X'01a2121e886e7d9287a01ac9ee781eba','eve@example.com','eve@example.com',0,'$argon2id$v=19$m=64,t=1,p=1$wUlwVIbBNH7l0H4rwKtUeA$3WrPqTWq3gkbnESBWcXdWOUa390arWae2Q+UutuwXZ8','user','disabled',1,2,1795600320622171,1795600320766849);
CREATE TABLE refresh_tokens (
    id BLOB NOT NULL PRIMARY KEY,
    user_id BLOB NOT NULL REFERENCES users_auth (id) ON DELETE CASCADE,
    handle BLOB NOT NULL,
    generation INTEGER NOT NULL,
    mac_key_id INTEGER NOT NULL,
    session_epoch INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    rotated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT,
    ip TEXT,
    user_agent TEXT
) STRICT;
INSERT INTO refresh_tokens VALUES(X'01a2121e88807890a63cb02e5717c542',X'01a2121e885170b39dd28d7ac0211a47',X'fddcf80da3a8db507c640c0a8e9749dd',3,2186138415,0,'keyward',1795600320640970,1795600323173681,1798192320640970,NULL,NULL,'127.0.0.1','Python-urllib/3.11');
INSERT INTO refresh_tokens VALUES(X'01a2121e88a0733ca9d7eb2c9785a1ca',X'01a2121e885170b39dd28d7ac0211a47',X'b5cf3b9435e26d9748fd6283bab5df8c',0,2186138415,0,'keyward',1795600320672499,1795600320672499,1798192320672499,1795600320685082,'logout','127.0.0.1','Python-urllib/3.11');
INSERT INTO refresh_tokens VALUES(X'01a2121e88cc7f2b8c932880b4dd5e30',X'01a2121e886475509c480c78adbe4c9d',X'988f37c89ac2811f577f00df96704aa4',0,2186138415,0,'keyward',1795600320716846,1795600320716846,1798192320716846,NULL,NULL,'127.0.0.1','Python-urllib/3.11');
INSERT INTO refresh_tokens VALUES(X'01a2121e88f077c6bcc44c9340e75d86',X'01a2121e87e07c4296c497efb175e12b',X'72c14c05b082267f304bdcbf3ab827fd',0,2186138415,0,'keyward',1795600320752270,1795600320752270,1798192320752270,NULL,NULL,'127.0.0.1','Python-urllib/3.11');
CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retired', 'removed')),
    public_jwk TEXT NOT NULL,
    sealed_private BLOB NOT NULL,
    master_key_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    promoted_at INTEGER,
    retired_at INTEGER
) STRICT;
INSERT INTO signing_keys VALUES('OfP62yejP-nh-I9cjog-P23uHcgfMdF_6nrooDQegRI','ES256','retired','{"kty":"EC","crv":"P-256","x":"sH3w4OUh0bUmTcZURW5D0SW50B-5yoxdnlWbAlmfbgY","y":"JdTf7AtCHb87YThpIM8VqQ_Pr8PXfUDUMPSGPWAF3VU","kid":"OfP62yejP-nh-I9cjog-P23uHcgfMdF_6nrooDQegRI","use":"sig","alg":"ES256"}',X'c1359fc0402f9719edf5a6b114744b60c12e53f954acf8a2cd1a8bcfa1bccfb0e9bab9816b43246aa3dc9dc9aef6d04dd126ca1a4efb03907d795d3532d9badf986835a6d4fce1e8fbc7ea8cc1be5212f433bd8fc68de4b8dcb828b4dad10e11d63a8574567494575acf7e7b2fa9ba55df8d279e8840ce402cc329c61b09774fcd171461736ffaaa2adfa0fe2ae473e70b03934302454b7f1de84efc27bd37e449e7c1d63212',2186138415,1795600320360773,1795600320360773,1795600320949869);
INSERT INTO signing_keys VALUES('3MqNfqhEX5tiHty1RWc3PqcDo26bi40zw2GLg9fzSnU','ES256','active','{"kty":"EC","crv":"P-256","x":"otgP7lvZjb6mZnr0Cnk85bb-cBjxmHchDZiCNAgvdps","y":"ML4WOr79lsOnLADmsjLcbsT6qldXO2mEBg_NUhJMXG0","kid":"3MqNfqhEX5tiHty1RWc3PqcDo26bi40zw2GLg9fzSnU","use":"sig","alg":"ES256"}',X'65dcbc9f1c9298d05b63dbffd88d4ac60c60a1e1206731425ba5e6ad3315650494b7c0ae2c8e986f679f253186ca4284a8d6435bfb44fdfb54ab60a2f734b232b99d06ed5e32fd57cbb83ee022d1a6869d35813547b5e1192657691c7929caf855f116ecdc6ff81b6bf88518d2769bb86fc347ec068d3da666cceb5b034769394bf13e3e48f0a4c7120ef4f6889bc329a6cf401ce5028490443df27d7297444b8c21b0ba7301',2186138415,1795600320360773,1795600320949869,NULL);
INSERT INTO signing_keys VALUES('rEjqcujvfav2GnTFtg-b5x1oLRSgwwejVCnYpc1-bhU','ES256','pending','{"kty":"EC","crv":"P-256","x":"Q3URSqeb1OJ6wwRMMkOglzAhXVThYapOqydky0J1kPM","y":"076Rr0IBr8I9J2X4wsUIuMgjX_iSndKnoWBOHbb-kpY","kid":"rEjqcujvfav2GnTFtg-b5x1oLRSgwwejVCnYpc1-bhU","use":"sig","alg":"ES256"}',X'3bc09898ba0784c17ef385d62a2c27dfcb258586fbe1b6294fef27bc541d1826d3aa40af43b312449569e188a3902cd3fb4f80d71d6311f3c2af2e18d8523b3077cf90e39eb8fd12572ef4acd1b8991ede6473a0331ed4d91d3c9ae64534ddd199c51a53227be5f44802d00f2b3c78de9b1c3123f21ca055e397b8dc552b2c677c8d4db8967d17c4438a99887d13d4cd8df20be41303ec2b23b15cb99cb8245bfe1178858fe7',2186138415,1795600320956046,NULL,NULL);
CREATE TABLE master_keys (
    key_id INTEGER NOT NULL PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER
) STRICT;
INSERT INTO master_keys VALUES(2186138415,X'1faaf579fb6aa67980ca6a9b530a43f6',1795600320352514,NULL);
CREATE TABLE installation (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    token_epoch INTEGER NOT NULL,
    event_seq INTEGER NOT NULL
) STRICT;
INSERT INTO installation VALUES(1,0,1);
CREATE TABLE outbox (
    id BLOB NOT NULL PRIMARY KEY,
    subject_id BLOB NOT NULL,
    subject_seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    data TEXT NOT NULL
) STRICT;
INSERT INTO outbox VALUES(X'01a2121e87e07e2fb4d385e53cfafd3d',X'01a2121e87e07c4296c497efb175e12b',1,'auth.user_created',1795600320480874,'{"email":"root@example.com","email_verified":true,"roles":["admin","user"],"user_id":"01a2121e-87e0-7c42-96c4-97efb175e12b"}');
INSERT INTO outbox VALUES(X'01a2121e8851704f8b9f85bd678a3289',X'01a2121e885170b39dd28d7ac0211a47',1,'auth.user_created',1795600320593795,'{"email":"ada@example.com","email_verified":false,"roles":["user"],"user_id":"01a2121e-8851-70b3-9dd2-8d7ac0211a47"}');
INSERT INTO outbox VALUES(X'01a2121e88647cf09ddfde0f602136fa',X'01a2121e886475509c480c78adbe4c9d',1,'auth.user_created',1795600320612410,'{"email":"bob@example.com","email_verified":false,"roles":["user"],"user_id":"01a2121e-8864-7550-9c48-0c78adbe4c9d"}');
INSERT INTO outbox VALUES(X'01a2121e886e73a2affa28ce3a117d61',X'01a2121e886e7d9287a01ac9ee781eba',1,'auth.user_created',1795600320622171,'{"email":"eve@example.com","email_verified":false,"roles":["user"],"user_id":"01a2121e-886e-7d92-87a0-1ac9ee781eba"}');
INSERT INTO outbox VALUES(X'01a2121e88ad71e1ab32553958e6c240',X'01a2121e885170b39dd28d7ac0211a47',2,'auth.session_revoked',1795600320685082,'{"reason":"logout","session_ids":["01a2121e-88a0-733c-a9d7-eb2c9785a1ca"],"user_id":"01a2121e-8851-70b3-9dd2-8d7ac0211a47"}');
INSERT INTO outbox VALUES(X'01a2121e88fe761f93e9ac28e911573f',X'01a2121e886e7d9287a01ac9ee781eba',2,'auth.user_disabled',1795600320766849,'{"user_id":"01a2121e-886e-7d92-87a0-1ac9ee781eba"}');
INSERT INTO outbox VALUES(X'01a2121e89b57b5dbbe01861c6116049',X'00000000000000000000000000000000',1,'auth.signing_key_rotated',1795600320949869,'{"kid":"3MqNfqhEX5tiHty1RWc3PqcDo26bi40zw2GLg9fzSnU","previous_kid":"OfP62yejP-nh-I9cjog-P23uHcgfMdF_6nrooDQegRI"}');
CREATE TABLE outbox_deliveries (
    event_id BLOB NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
    sink TEXT NOT NULL,
    subject_id BLOB NOT NULL,
    subject_seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    published_at INTEGER,
    last_error TEXT, outcome text,
    PRIMARY KEY (event_id, sink)
) STRICT;
INSERT INTO outbox_deliveries VALUES(X'01a2121e87e07e2fb4d385e53cfafd3d','log',X'01a2121e87e07c4296c497efb175e12b',1,1,1795600320480874,1795600320524675,NULL,'published');
INSERT INTO outbox_deliveries VALUES(X'01a2121e8851704f8b9f85bd678a3289','log',X'01a2121e885170b39dd28d7ac0211a47',1,1,1795600320593795,1795600320605668,NULL,'published');
INSERT INTO outbox_deliveries VALUES(X'01a2121e88647cf09ddfde0f602136fa','log',X'01a2121e886475509c480c78adbe4c9d',1,1,1795600320612410,1795600320620504,NULL,'published');
INSERT INTO outbox_deliveries VALUES(X'01a2121e886e73a2affa28ce3a117d61','log',X'01a2121e886e7d9287a01ac9ee781eba',1,1,1795600320622171,1795600320630159,NULL,'published');
INSERT INTO outbox_deliveries VALUES(X'01a2121e88ad71e1ab32553958e6c240','log',X'01a2121e885170b39dd28d7ac0211a47',2,1,1795600320685082,1795600320696332,NULL,'published');
INSERT INTO outbox_deliveries VALUES(X'01a2121e88fe761f93e9ac28e911573f','log',X'01a2121e886e7d9287a01ac9ee781eba',2,1,1795600320766849,1795600320778107,NULL,'published');
INSERT INTO outbox_deliveries VALUES(X'01a2121e89b57b5dbbe01861c6116049','log',X'00000000000000000000000000000000',1,1,1795600320949869,1795600321256153,NULL,'published');
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    fence INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO leases VALUES('relay/log','01a2121e-87fc-750c-a5ec-6707def0d188',1,0);
INSERT INTO leases VALUES('maintenance','01a2121e-87ff-7c83-8948-8f0782a86541',1,1795600410511556);
CREATE TABLE audit_log (
    id BLOB NOT NULL PRIMARY KEY,
    occurred_at INTEGER NOT NULL,
    event TEXT NOT NULL,
    user_id BLOB,
    actor_id BLOB,
    session_id BLOB,
    ip TEXT,
    user_agent TEXT,
    request_id TEXT NOT NULL,
    detail TEXT
) STRICT;
INSERT INTO audit_log VALUES(X'01a2121e87687fe791481414b58c4429',1795600320360773,'signing_key_created',NULL,NULL,NULL,NULL,NULL,'','{"algorithm":"ES256","kid":"OfP62yejP-nh-I9cjog-P23uHcgfMdF_6nrooDQegRI","state":"active"}');
INSERT INTO audit_log VALUES(X'01a2121e87687cd4ab87c131480174ac',1795600320360773,'signing_key_created',NULL,NULL,NULL,NULL,NULL,'','{"algorithm":"ES256","kid":"3MqNfqhEX5tiHty1RWc3PqcDo26bi40zw2GLg9fzSnU","state":"pending"}');
INSERT INTO audit_log VALUES(X'01a2121e87e07ddaad595e94850df8d7',1795600320480874,'user_created',X'01a2121e87e07c4296c497efb175e12b',NULL,NULL,NULL,'keyward command line','',NULL);
INSERT INTO audit_log VALUES(X'01a2121e885176c9b1f8dfc8bec8214c',1795600320593795,'user_created',X'01a2121e885170b39dd28d7ac0211a47',NULL,NULL,'127.0.0.1','Python-urllib/3.11','01a2121e-884d-73c5-ad71-526e29c580a3',NULL);
INSERT INTO audit_log VALUES(X'01a2121e88647767bb1286373c87a234',1795600320612410,'user_created',X'01a2121e886475509c480c78adbe4c9d',NULL,NULL,'127.0.0.1','Python-urllib/3.11','01a2121e-885f-742f-9af8-6c77f315660f',NULL);
INSERT INTO audit_log VALUES(X'01a2121e886e76eb88fffb173f3ae2d2',1795600320622171,'user_created',X'01a2121e886e7d9287a01ac9ee781eba',NULL,NULL,'127.0.0.1','Python-urllib/3.11','01a2121e-886b-7a3c-b206-7f927867435a',NULL);
INSERT INTO audit_log VALUES(X'01a2121e888070949573ad5eca27bdcc',1795600320640970,'login_succeeded',X'01a2121e885170b39dd28d7ac0211a47',NULL,X'01a2121e88807890a63cb02e5717c542','127.0.0.1','Python-urllib/3.11','01a2121e-8878-77a1-8b19-f9d8d20d4dda',NULL);
INSERT INTO audit_log VALUES(X'01a2121e88a075fea39a919996555041',1795600320672499,'login_succeeded',X'01a2121e885170b39dd28d7ac0211a47',NULL,X'01a2121e88a0733ca9d7eb2c9785a1ca','127.0.0.1','Python-urllib/3.11','01a2121e-889c-736f-be08-153cede3a037',NULL);
INSERT INTO audit_log VALUES(X'01a2121e88ad7ff7be1a67079e8bd4d4',1795600320685082,'session_revoked',X'01a2121e885170b39dd28d7ac0211a47',NULL,X'01a2121e88a0733ca9d7eb2c9785a1ca','127.0.0.1','Python-urllib/3.11','01a2121e-88ac-70cf-863c-bdddb23dac24',NULL);
INSERT INTO audit_log VALUES(X'01a2121e88cc718bae4ac7d99747e47c',1795600320716846,'login_succeeded',X'01a2121e886475509c480c78adbe4c9d',NULL,X'01a2121e88cc7f2b8c932880b4dd5e30','127.0.0.1','Python-urllib/3.11','01a2121e-88b7-7026-9ba4-3e6330719287',NULL);
INSERT INTO audit_log VALUES(X'01a2121e88e07193b1f35fde93734256',1795600320736820,'login_failed',X'01a2121e886475509c480c78adbe4c9d',NULL,NULL,'127.0.0.1','Python-urllib/3.11','01a2121e-88d8-7c95-a956-e0bb6fabd243','{"identifier":"Ggra1PgPMKHGOlZ1jRoKZKjqvmKuXjlIcyMaw4A2pDE","reason":"wrong_password"}');
INSERT INTO audit_log VALUES(X'01a2121e88f072578237978a266b93ab',1795600320752270,'login_succeeded',X'01a2121e87e07c4296c497efb175e12b',NULL,X'01a2121e88f077c6bcc44c9340e75d86','127.0.0.1','Python-urllib/3.11','01a2121e-88ea-7dad-85be-61e1f2fc6792',NULL);
INSERT INTO audit_log VALUES(X'01a2121e88fe79309f06ac79c0393202',1795600320766849,'user_disabled',X'01a2121e886e7d9287a01ac9ee781eba',X'01a2121e87e07c4296c497efb175e12b',NULL,'127.0.0.1','Python-urllib/3.11','01a2121e-88fd-7fce-8223-4d11cb2ae824',NULL);
INSERT INTO audit_log VALUES(X'01a2121e89b57facb34d350bae27ce47',1795600320949869,'signing_key_promoted',NULL,NULL,NULL,NULL,'keyward command line','','{"kid":"3MqNfqhEX5tiHty1RWc3PqcDo26bi40zw2GLg9fzSnU","previous_kid":"OfP62yejP-nh-I9cjog-P23uHcgfMdF_6nrooDQegRI"}');
INSERT INTO audit_log VALUES(X'01a2121e89bc754687507575ba7cf638',1795600320956046,'signing_key_created',NULL,NULL,NULL,NULL,NULL,'','{"algorithm":"ES256","kid":"rEjqcujvfav2GnTFtg-b5x1oLRSgwwejVCnYpc1-bhU","state":"pending"}');
INSERT INTO audit_log VALUES(X'01a2121e8a7d7e71ba3f54b45b7c529f',1795600321149316,'client_created',NULL,NULL,NULL,NULL,'keyward command line','','{"client_id":"billing"}');
CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
INSERT INTO clients VALUES('billing',X'254b29d363aeda1d30fb780a4d22670c518f5cc6182ff66c0c4e2178bcf858ab',1795600321149316,NULL);
CREATE TABLE login_failures (
    identifier TEXT NOT NULL,
    pool TEXT NOT NULL,
    failures INTEGER NOT NULL,
    in_a_row INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    charged_at INTEGER NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (identifier, pool)
) STRICT;
INSERT INTO login_failures VALUES('Ggra1PgPMKHGOlZ1jRoKZKjqvmKuXjlIcyMaw4A2pDE','untrusted',1,1,1795600320729922,1795600320729922,1795686720729922);
CREATE UNIQUE INDEX users_auth_email_canonical ON users_auth (email_canonical);
CREATE UNIQUE INDEX refresh_tokens_handle ON refresh_tokens (handle);
CREATE INDEX refresh_tokens_user_id ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_ended_at ON refresh_tokens (ended_at) WHERE ended_at IS NOT NULL;
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (state) WHERE state = 'active';
CREATE UNIQUE INDEX signing_keys_one_pending ON signing_keys (state) WHERE state = 'pending';
CREATE UNIQUE INDEX outbox_subject ON outbox (subject_id, subject_seq);
CREATE INDEX outbox_deliveries_order ON outbox_deliveries (sink, subject_id, subject_seq) WHERE published_at IS NULL;
CREATE INDEX audit_log_user_id ON audit_log (user_id, id);
CREATE INDEX outbox_deliveries_due ON outbox_deliveries (sink, next_attempt_at, event_id) WHERE published_at IS NULL;
CREATE INDEX login_failures_expires_at ON login_failures (expires_at);
COMMIT;
