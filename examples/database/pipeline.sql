-- Orders get the name and the region of their user from a database; totals by region are kept there, large orders appended there.
--   sqlite3 shop.db < examples/database/tables.sql
--   supyo run examples/database/pipeline.sql --var URL=jdbc:sqlite:$PWD/shop.db --var LOGIN= --state shop.state
-- PostgreSQL: --var URL=jdbc:postgresql://127.0.0.1:5432/shop --var "LOGIN='username' = 'supyo', 'password' = '${env:PGPASSWORD}',"
CREATE TABLE orders (id BIGINT, user_id BIGINT, amount BIGINT, p AS PROCTIME()) WITH (
  'connector' = 'datagen', 'number-of-rows' = '10000', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '10000',
  'fields.user_id.min' = '1', 'fields.user_id.max' = '5', 'fields.amount.min' = '1', 'fields.amount.max' = '500');
CREATE TABLE users (id BIGINT, name STRING, region STRING, PRIMARY KEY (id) NOT ENFORCED) WITH (
  'connector' = 'jdbc', 'url' = '${URL}', ${LOGIN} 'table-name' = 'users', 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.expire-after-write' = '1 min');
CREATE TABLE region_totals (region STRING, orders BIGINT, amount BIGINT, PRIMARY KEY (region) NOT ENFORCED) WITH (
  'connector' = 'jdbc', 'url' = '${URL}', ${LOGIN} 'table-name' = 'region_totals');
CREATE TABLE large_orders (id BIGINT, name STRING, amount BIGINT) WITH ('connector' = 'jdbc', 'url' = '${URL}', ${LOGIN} 'table-name' = 'large_orders');

CREATE VIEW named AS SELECT o.id, u.name, COALESCE(u.region, 'unknown') AS region, o.amount FROM orders AS o LEFT JOIN users FOR SYSTEM_TIME AS OF o.p AS u ON o.user_id = u.id;
EXECUTE STATEMENT SET BEGIN
INSERT INTO region_totals SELECT region, COUNT(*), SUM(amount) FROM named GROUP BY region;
INSERT INTO large_orders SELECT id, name, amount FROM named WHERE amount > 499;
END;
