DO $$
BEGIN
    IF to_regrole('batch_worker') IS NULL THEN
        CREATE ROLE batch_worker;
    END IF;
    IF to_regrole('"naïve role"') IS NULL THEN
        CREATE ROLE "naïve role";
    END IF;
END
$$;
