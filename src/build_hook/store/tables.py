"""The tables of the database, as the steps that brought them."""

# Each entry brings the schema from version N to N + 1 (PRAGMA user_version).
MIGRATIONS = (
    """
    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        received REAL NOT NULL,
        provider TEXT NOT NULL,
        delivery_id TEXT,
        event TEXT NOT NULL,
        remote TEXT,
        headers TEXT NOT NULL,
        body BLOB NOT NULL,
        verdict TEXT NOT NULL
    );
    CREATE UNIQUE INDEX deliveries_once ON deliveries (provider, delivery_id)
        WHERE delivery_id IS NOT NULL;
    CREATE TABLE builds (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL,
        ref TEXT NOT NULL,
        commit_id TEXT,
        message TEXT,
        cause TEXT NOT NULL,
        delivery INTEGER REFERENCES deliveries (id) ON DELETE SET NULL,
        source INTEGER REFERENCES builds (id) ON DELETE SET NULL,
        phase TEXT NOT NULL DEFAULT 'queued',
        reason TEXT,
        cancel INTEGER NOT NULL DEFAULT 0,
        retry INTEGER NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        finished REAL,
        settings TEXT,
        image TEXT,
        container TEXT
    );
    CREATE INDEX builds_by_project ON builds (project, id);
    CREATE INDEX builds_open ON builds (phase, project) WHERE finished IS NULL;
    CREATE INDEX builds_by_delivery ON builds (delivery) WHERE delivery IS NOT NULL;
    CREATE TABLE phases (
        build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
        phase TEXT NOT NULL,
        at REAL NOT NULL
    );
    CREATE INDEX phases_by_build ON phases (build);
    CREATE TABLE serving (
        project TEXT PRIMARY KEY,
        build INTEGER NOT NULL REFERENCES builds (id),
        previous INTEGER REFERENCES builds (id)
    );
    """,
    """
    CREATE TABLE tokens (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        scope TEXT NOT NULL,
        hash BLOB NOT NULL,
        created REAL NOT NULL,
        expires REAL,
        last_used REAL
    );
    CREATE TABLE replays (
        delivery INTEGER NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        actor TEXT NOT NULL
    );
    CREATE INDEX replays_by_delivery ON replays (delivery)
    """,
    """
    ALTER TABLE builds ADD COLUMN requests INTEGER;
    ALTER TABLE builds ADD COLUMN failed INTEGER;
    ALTER TABLE builds ADD COLUMN longest_gap_ms INTEGER
    """,
    """
    ALTER TABLE builds ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE builds ADD COLUMN force INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE builds ADD COLUMN has_image INTEGER NOT NULL DEFAULT 1;
    CREATE TABLE cards (
        build INTEGER PRIMARY KEY REFERENCES builds (id) ON DELETE CASCADE,
        card TEXT NOT NULL
    );
    CREATE TABLE pauses (
        project TEXT PRIMARY KEY,
        since REAL NOT NULL,
        reason TEXT
    )
    """,
    # the webhook secrets of a project were called secrets once
    """
    UPDATE builds SET settings = json_remove(
        json_set(settings, '$.webhook_secrets', json(json_extract(settings, '$.secrets'))),
        '$.secrets'
    ) WHERE CASE WHEN json_valid(settings) THEN json_type(settings, '$.secrets') END = 'array'
    """,
    # what has happened is counted as it does: retention takes nothing away
    """
    CREATE TABLE counts (
        name TEXT NOT NULL,
        project TEXT NOT NULL,
        label TEXT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (name, project, label)
    ) WITHOUT ROWID;
    INSERT INTO counts SELECT 'builds', project, phase, count(*) FROM builds
        WHERE finished IS NOT NULL GROUP BY project, phase;
    CREATE TRIGGER count_builds AFTER UPDATE OF finished ON builds
        WHEN old.finished IS NULL AND new.finished IS NOT NULL
    BEGIN
        INSERT INTO counts VALUES ('builds', new.project, new.phase, 1)
            ON CONFLICT DO UPDATE SET n = n + 1;
    END;
    CREATE TRIGGER count_cutovers AFTER UPDATE OF requests ON builds
        WHEN old.requests IS NULL AND new.requests IS NOT NULL
    BEGIN
        INSERT INTO counts VALUES ('cutover_requests', new.project, '', new.requests)
            ON CONFLICT DO UPDATE SET n = n + excluded.n;
        INSERT INTO counts VALUES ('cutover_failed', new.project, '', coalesce(new.failed, 0))
            ON CONFLICT DO UPDATE SET n = n + excluded.n;
    END;
    CREATE TRIGGER count_deliveries AFTER INSERT ON deliveries
    BEGIN
        INSERT INTO counts VALUES ('deliveries', '',
            CASE WHEN new.verdict LIKE '%"action": "build"%' THEN 'build'
                 WHEN new.verdict LIKE '%"action": "skip"%' THEN 'skip' ELSE 'ignore' END, 1)
            ON CONFLICT DO UPDATE SET n = n + 1;
    END
    """,
    """
    CREATE TABLE lingering (
        build INTEGER PRIMARY KEY REFERENCES builds (id) ON DELETE CASCADE,
        project TEXT NOT NULL,
        until REAL NOT NULL
    )
    """,
    # what the repository of a build set for itself
    "ALTER TABLE builds ADD COLUMN overlay TEXT",
    """
    CREATE TABLE parts (
        build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        image TEXT NOT NULL,
        settings TEXT NOT NULL,
        PRIMARY KEY (build, position)
    )
    """,
    # looked for every few seconds: see failures
    "CREATE INDEX builds_to_try_again ON builds (project) WHERE retry = 1",
    # several services of one build may linger
    """
    ALTER TABLE lingering RENAME TO lingering_by_build;
    CREATE TABLE lingering (
        build INTEGER NOT NULL REFERENCES builds (id) ON DELETE CASCADE,
        project TEXT NOT NULL,
        until REAL NOT NULL,
        PRIMARY KEY (build, project)
    );
    INSERT INTO lingering SELECT build, project, until FROM lingering_by_build;
    DROP TABLE lingering_by_build
    """,
)
