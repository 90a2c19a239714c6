-- Run once, by the superuser of a new Postgres. The owner is not a superuser, so row-level security
-- applies to it too. The service's login can only act as the service.
\set ON_ERROR_STOP on
\getenv owner_password SENTINEL_OWNER_PASSWORD
\getenv login_password SENTINEL_LOGIN_PASSWORD
CREATE ROLE sentinel_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE sentinel_service NOLOGIN;
GRANT sentinel_service TO sentinel_owner WITH ADMIN OPTION;
CREATE ROLE sentinel_login LOGIN PASSWORD :'login_password' IN ROLE sentinel_service;
CREATE DATABASE sentinel OWNER sentinel_owner;
REVOKE CONNECT ON DATABASE sentinel FROM PUBLIC;
GRANT CONNECT ON DATABASE sentinel TO sentinel_login;
