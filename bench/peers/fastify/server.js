// The endpoints that `bench/run` measures, as one usually finds them in Node: fastify, @fastify/jwt, a pg pool, password hashes
// on libuv's threads, one process a core by `cluster`. It reads Django's tables and knows nothing of Countersign.

import cluster from "node:cluster";
import { pbkdf2, randomUUID, timingSafeEqual } from "node:crypto";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import fastifyJwt from "@fastify/jwt";
import { verify as verifyArgon2 } from "@node-rs/argon2";
import Fastify from "fastify";
import pg from "pg";

const derive = promisify(pbkdf2);

if (cluster.isPrimary) {
    let announced = false;
    for (let n = 0; n < availableParallelism(); n++) {
        cluster.fork();
    }
    cluster.on("listening", (_, address) => {
        if (!announced) {
            announced = true;
            console.log(`listening on http://127.0.0.1:${address.port}`);
        }
    });
    process.on("SIGTERM", () => {
        for (const worker of Object.values(cluster.workers)) worker.kill();
        process.exit(0);
    });
} else {
    await serve();
}

async function serve() {
    const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
    const app = Fastify();
    await app.register(fastifyJwt, { secret: process.env.SECRET_KEY });

    const refuse = (reply) => reply.code(401).send({ detail: "unauthorized" });

    const sign = (kind, user, expiresIn) => {
        const jti = randomUUID().replaceAll("-", "");
        return { jti, token: app.jwt.sign({ token_type: kind, jti, user_id: user }, { expiresIn }) };
    };

    const record = (connection, { token, jti }, user) =>
        connection.query({
            name: "record",
            text: `INSERT INTO token_blacklist_outstandingtoken (token, created_at, expires_at, user_id, jti)
                   VALUES ($1, now(), now() + interval '1 day', $2, $3)`,
            values: [token, Number(user), jti],
        });

    async function authenticate(request, reply) {
        const [scheme, credential] = (request.headers.authorization ?? "").split(" ", 2);
        let found;
        if (scheme === "Token") {
            found = await pool.query({
                name: "token",
                text: `SELECT u.id, u.username, u.is_active FROM authtoken_token t JOIN auth_user u ON u.id = t.user_id
                       WHERE t.key = $1`,
                values: [credential],
            });
        } else {
            await request.jwtVerify();
            if (request.user.token_type !== "access") return refuse(reply);
            found = await pool.query({
                name: "user",
                text: "SELECT id, username, is_active FROM auth_user WHERE id = $1",
                values: [Number(request.user.user_id)],
            });
        }
        if (!found.rows[0]?.is_active) return refuse(reply);
        request.found = { user_id: found.rows[0].id, username: found.rows[0].username, auth: scheme === "Token" ? "token" : "jwt" };
    }

    app.get("/api/whoami/", { onRequest: authenticate }, async (request) => request.found);

    app.get("/stateless/", { onRequest: (request) => request.jwtVerify() }, async (request) => ({
        user_id: request.user.user_id,
        username: "",
        auth: "jwt_stateless",
    }));

    app.post("/api/token/", async (request, reply) => {
        const { username, password } = request.body;
        const found = await pool.query({
            name: "login",
            text: "SELECT id, password FROM auth_user WHERE username = $1 AND is_active",
            values: [username],
        });
        const user = found.rows[0];
        if (!user || !(await verifies(password, user.password))) return refuse(reply);
        const refresh = sign("refresh", String(user.id), "1d");
        await record(pool, refresh, user.id);
        return { refresh: refresh.token, access: sign("access", String(user.id), "5m").token };
    });

    app.post("/api/token/refresh/", async (request, reply) => {
        const old = app.jwt.verify(request.body.refresh);
        const connection = await pool.connect();
        try {
            await connection.query("BEGIN");
            const found = await connection.query({
                name: "outstanding",
                text: `SELECT o.id, u.is_active FROM token_blacklist_outstandingtoken o JOIN auth_user u ON u.id = o.user_id
                       WHERE o.jti = $1`,
                values: [old.jti],
            });
            if (!found.rows[0]?.is_active) throw new Error("no such token");
            const spent = await connection.query({
                name: "spend",
                text: `INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at) VALUES ($1, now())
                       ON CONFLICT DO NOTHING`,
                values: [found.rows[0].id],
            });
            if (spent.rowCount === 0) throw new Error("spent");
            const refresh = sign("refresh", old.user_id, "1d");
            await record(connection, refresh, old.user_id);
            await connection.query("COMMIT");
            return { refresh: refresh.token, access: sign("access", old.user_id, "5m").token };
        } catch (error) {
            await connection.query("ROLLBACK");
            return refuse(reply);
        } finally {
            connection.release();
        }
    });

    app.post("/api/token/verify/", async (request, reply) => {
        const claims = app.jwt.verify(request.body.token);
        const found = await pool.query({
            name: "spent",
            text: `SELECT 1 FROM token_blacklist_blacklistedtoken b JOIN token_blacklist_outstandingtoken o ON o.id = b.token_id
                   WHERE o.jti = $1`,
            values: [claims.jti],
        });
        return found.rowCount ? refuse(reply) : {};
    });

    await app.listen({ host: "127.0.0.1", port: 0 });
}

// Django's two usual forms: `pbkdf2_sha256$rounds$salt$hash` and `argon2$argon2id$…`.
async function verifies(password, hash) {
    if (hash.startsWith("argon2$")) return verifyArgon2(hash.slice("argon2".length), password);
    const [name, rounds, salt, expected] = hash.split("$");
    if (name !== "pbkdf2_sha256") return false;
    const made = await derive(password, salt, Number(rounds), 32, "sha256");
    return timingSafeEqual(made, Buffer.from(expected, "base64"));
}
