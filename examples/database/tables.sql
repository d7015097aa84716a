-- The tables of the database: sqlite3 shop.db < examples/database/tables.sql, or psql .. -f examples/database/tables.sql
CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL, region VARCHAR(20) NOT NULL);
CREATE TABLE region_totals (region VARCHAR(20) PRIMARY KEY, orders BIGINT NOT NULL, amount BIGINT NOT NULL);
CREATE TABLE large_orders (id BIGINT NOT NULL, name VARCHAR(40), amount BIGINT NOT NULL);
INSERT INTO users VALUES (1, 'Ahn', 'Mapo'), (2, 'Baek', 'Gangnam'), (3, 'Cho', 'Mapo'), (4, 'Do', 'Jongno');
