DROP TABLE installation;
DROP TABLE master_keys;
DROP TABLE signing_keys;
