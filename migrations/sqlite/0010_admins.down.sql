DROP INDEX users_auth_admins;
