-- Whether anybody is left who can do what admins do is asked with every change of an admin; among millions, too.
CREATE INDEX users_auth_admins ON users_auth (id) WHERE ' ' || roles || ' ' LIKE '% admin %';
