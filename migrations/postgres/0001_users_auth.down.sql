DROP TABLE users_auth;
